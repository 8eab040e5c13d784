# syntax=docker/dockerfile:1

# One image for each function, and for the baton command, chosen by name:
#
#	docker build --build-arg FUNCTION=ingest -t baton-ingest .
#
# FUNCTION is ingest, schedule, infer, callback or baton: a directory of cmd/.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ENV GOCACHE=/cache/build GOMODCACHE=/cache/mod
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download
COPY . .
ARG FUNCTION
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/cache \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w" -o /out/function \
    "./cmd/${FUNCTION:?say which: --build-arg FUNCTION=ingest}"

# The static image has the CA certificates and time zones, a user that is not root, and neither shell nor libc.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/function /function
ENTRYPOINT ["/function"]
