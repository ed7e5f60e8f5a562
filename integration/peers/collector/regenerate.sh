#!/usr/bin/env bash
# Writes the *.txt files of both Collectors: here from manifest.yaml, and in
# ../otelcol-wiretell from examples/collector/builder.yaml. Run it after a change
# of one of them, then run the tests of integration/peers.
#
# The files are no module of their own in this repository, hence .txt: wiretell
# is one module. The builder's own `go mod tidy` is not used, because it asks
# for the test dependencies of every module, some of which no proxy serves;
# `go build -mod=mod` asks for what the program needs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
builder=go.opentelemetry.io/collector/cmd/builder@v0.162.0
unstable=v0.162.0 # version of the components that have no v1 yet
stable=v1.68.0    # and of those that have
export CGO_ENABLED=0 GOWORK=off GOFLAGS=

# generate MANIFEST FOLDER [REPLACE]
generate() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	sed 's|^  output_path: .*|  output_path: ./src|' "$1" >"$work/manifest.yaml"
	cd "$work"
	go run "$builder" --config manifest.yaml --skip-get-modules --skip-compilation
	cd src
	{
		printf 'module %s\n\ngo 1.26.0\n\nrequire (\n' "$(sed -n 's/^  module: //p' ../manifest.yaml)"
		sed -n 's/^ *- gomod: /\t/p' ../manifest.yaml
		for m in component confmap exporter extension processor receiver; do
			printf '\tgo.opentelemetry.io/collector/%s %s\n' $m $stable
		done
		for m in connector otelcol service; do
			printf '\tgo.opentelemetry.io/collector/%s %s\n' $m $unstable
		done
		echo ')'
	} >go.mod
	if [ -n "${3-}" ]; then go mod edit -replace "$3"; fi
	go build -mod=mod -o /dev/null .
	if [ -n "${3-}" ]; then go mod edit -dropreplace "${3%%=*}"; fi
	go mod edit -fmt
	gofmt -w main.go components.go
	# Left out: main_windows.go. main_others.go is the same for every other system.
	for f in go.mod go.sum main.go main_others.go components.go; do
		cp $f "$2/$f.txt"
	done
	rm -rf "$work"
}

generate "$here/manifest.yaml" "$here"
generate "$repository/examples/collector/builder.yaml" "$here/../otelcol-wiretell" github.com/wiretell/wiretell="$repository"
