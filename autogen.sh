#!/bin/sh
# Makes configure and Makefile.in from their sources; needs autoconf and automake.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
autoreconf --force --install
