#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes ffm-bindings/src/test/resources/libc-values.tsv with this host's C compiler and headers. Run it by hand after a
# change of libc-names.txt, and commit the result: the tests read the file, they need no compiler.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../resources/libc-values.tsv
work=$(mktemp)
trap 'rm -f "$work"' EXIT
{
    echo "# C library values: sizeof, offsetof and constants as gcc $(gcc -dumpfullversion) compiles them"
    echo "# headers: libc6-dev $(dpkg-query -W -f '${Version}' libc6-dev), linux-libc-dev" \
        "$(dpkg-query -W -f '${Version}' linux-libc-dev) (Debian), arch $(uname -m | tr _ -)" \
        "(LP64, little-endian)"
    echo "# made by src/test/c/libc-values.sh; lines as in uapi-values.tsv"
    "$here/print-values.sh" "$here/libc-names.txt"
} >"$work"
cat "$work" >"$out"
