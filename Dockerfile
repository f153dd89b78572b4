# The image of every Holdfast role: `holdfast agent`, `holdfast verifier` and the rest are one command.
# Built from Debian and npm packages alone; nothing is downloaded from elsewhere.
ARG DEBIAN=debian:12-slim

FROM ${DEBIAN} AS build
# Debian's Node 18 does no more than run npm, which brings the Node that builds and the image holds.
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates g++ git libtss2-dev make nodejs npm pkg-config python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN scripts/build

FROM ${DEBIAN}
# ESAPI with its device TCTI, and what libstdc++ the native code links.
RUN apt-get update && apt-get install -y --no-install-recommends \
      libstdc++6 libtss2-esys-3.0.2-0 libtss2-rc0 libtss2-tctildr0 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/dist /opt/holdfast
RUN ln -s /opt/holdfast/bin/holdfast /usr/local/bin/holdfast
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/holdfast"]
CMD ["--help"]
