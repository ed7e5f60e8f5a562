# wiretell's image: one static binary on nothing, that runs as nobody and may
# raise CAP_NET_RAW where the container is granted it. It needs BuildKit, as
# other builders lose the binary's file capability:
#
#	docker build --build-arg VERSION="$(git describe --tags --always)" -t wiretell/wiretell .
#	docker run --cap-drop ALL --cap-add NET_RAW --network container:APP wiretell/wiretell
#
# `make image` makes the same image without a builder. docs/image.md has the rest.
ARG GO_IMAGE=golang:1.26
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETARCH
ARG VERSION=devel
ARG REVISION
ARG SOURCE_DATE_EPOCH
ENV VERSION=${VERSION} REVISION=${REVISION} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} TARGETARCH=${TARGETARCH}
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build ["go", "run", "./integration/image/mkimage", "-folder", "/image"]

FROM scratch
ARG VERSION=devel
ARG REVISION
COPY --from=build /image /
USER 65532:65532
ENV PATH=/
WORKDIR /
ENTRYPOINT ["/wiretell"]
CMD ["run"]
HEALTHCHECK CMD ["/wiretell", "healthcheck"]
LABEL org.opencontainers.image.title="wiretell" \
      org.opencontainers.image.description="OpenTelemetry-native sidecar that tells what happened on the wire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/wiretell/wiretell" \
      org.opencontainers.image.documentation="https://github.com/wiretell/wiretell/tree/main/docs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
