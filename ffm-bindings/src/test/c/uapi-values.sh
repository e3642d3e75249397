#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the values of uapi-names.txt by the kernel's headers: uapi-values.sh [HEADER_FOLDER]; see print-values.sh. Run it by
# hand when a kernel is out or uapi-names.txt has grown, and commit what it prints: the tests read files, not headers.
#
# src/test/resources/uapi-values.tsv is of the newest kernel. Names that it lacks are in uapi-more-values.tsv, made with
#     uapi-values.sh HEADER_FOLDER | grep -vxFf ../resources/uapi-values.tsv
# and a head that says so; with a header folder of a newer kernel, both become one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
headers=${1:-}
code=$(printf '#include <linux/version.h>\nLINUX_VERSION_CODE\n' | gcc -E -P ${headers:+-I"$headers"} - | tail -n 1)
echo "# Linux uAPI values: sizeof, offsetof and constants as gcc $(gcc -dumpversion) compiles them from the headers below"
echo "# headers: Linux $((code >> 16)).$((code >> 8 & 255)).$((code & 255)), arch $(uname -m | tr _ -) (LP64, little-endian)"
printf '# lines: struct<TAB>name<TAB>size=<TAB>align= | field<TAB>struct.field<TAB>offset=<TAB>size=<TAB>type= |'
echo ' value<TAB>NAME<TAB>decimal<TAB>hex'
echo "# type=other means nested struct/union/array/pointer; flexible arrays print elem-size"
"$here/print-values.sh" "$here/uapi-names.txt" "$headers"
