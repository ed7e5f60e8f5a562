#!/usr/bin/env bash
# Writes the *.txt files from manifest.yaml. Run it after a change of the
# manifest, then run the tests of integration/peers.
#
# The files are no module of their own in this repository, hence .txt: wiretell
# is one module. The builder's own `go mod tidy` is not used, because it asks
# for the test dependencies of every module, some of which no proxy serves;
# `go build -mod=mod` asks for what the program needs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
builder=go.opentelemetry.io/collector/cmd/builder@v0.162.0
unstable=v0.162.0 # version of the components that have no v1 yet
stable=v1.68.0    # and of those that have

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/manifest.yaml" "$work/"
cd "$work"
export CGO_ENABLED=0 GOWORK=off GOFLAGS=
go run "$builder" --config manifest.yaml --skip-get-modules --skip-compilation

cd src
{
	printf 'module github.com/wiretell/wiretell/integration/collector\n\ngo 1.26.0\n\nrequire (\n'
	sed -n 's/^ *- gomod: /\t/p' ../manifest.yaml
	for m in component confmap exporter extension processor receiver; do
		printf '\tgo.opentelemetry.io/collector/%s %s\n' $m $stable
	done
	for m in connector otelcol service; do
		printf '\tgo.opentelemetry.io/collector/%s %s\n' $m $unstable
	done
	echo ')'
} >go.mod
go build -mod=mod -o /dev/null .
go mod edit -fmt
gofmt -w main.go components.go
for f in go.mod go.sum main.go components.go; do
	cp $f "$here/$f.txt"
done
# Left out: main_windows.go. main_others.go is the same for every other system.
cp main_others.go "$here/main_others.go.txt"
