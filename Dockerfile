# wiretell's image is its static binary on nothing. Build the binary first; the
# build context is the folder that holds it:
#
#	make build && docker build -f Dockerfile -t wiretell bin
#
# It runs as root, since Docker gives other users no capability, and needs no
# other privilege than --cap-drop ALL --cap-add NET_RAW, read-only included.
FROM scratch
COPY wiretell /wiretell
ENTRYPOINT ["/wiretell"]
CMD ["run"]
