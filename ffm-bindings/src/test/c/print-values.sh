#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints what the C compiler makes of the structs and constants that a table names: print-values.sh TABLE [HEADER_FOLDER]
#
# uapi-names.txt says what a table looks like. HEADER_FOLDER, such as usr/include after "make headers" in a kernel tree, is
# looked in before the compiler's own headers. What the headers do not know is left out, and named on the error output.
set -eu
export LC_ALL=C
names=$1
headers=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/missing"

# One line of C for each line of the table, numbered by #line, so that an error leads back to the name it is about.
while :; do
    awk -v missing="$work/missing" '
        BEGIN {
            while ((getline line <missing) > 0) { gone[line] = 1 }
            print "#define _GNU_SOURCE\n#include <stddef.h>\n#include <stdio.h>\n#include <linux/version.h>"
            print "#define TYPE(x) _Generic((x), unsigned char: \"u8\", unsigned short: \"u16\", short: \"i16\"," \
                " unsigned int: \"u32\", int: \"i32\", unsigned long: \"u64\", unsigned long long: \"u64\"," \
                " long: \"i64\", long long: \"i64\", default: \"other\")"
        }
        /^#/ || NF == 0 || FNR in gone { next }
        $1 == "include" {
            printf "#if __has_include(%s)\n#include %s\n#endif\n", $2, $2
            next
        }
        !begun { print "int main(void) {"; begun = 1 }
        { printf "#line %d \"table\"\n", FNR }
        $1 == "title" { sub(/^title /, ""); gsub(/"/, "\\\""); printf "puts(\"# %s\");\n", $0 }
        $1 == "struct" {
            struct = $2
            type = "struct " $2
            if ($3 == "=") { type = $0; sub(/^[^=]*= /, "", type) }
            printf "printf(\"struct\\t%s\\tsize=%%zu\\talign=%%zu\\n\", sizeof(%s), _Alignof(%s));\n", struct, type, type
        }
        $1 == "field" && sub(/\[\]$/, "", $2) {
            printf "printf(\"field\\t%s.%s\\toffset=%%zu\\tflexible-array elem-size=%%zu\\n\", offsetof(%s, %s)," \
                " sizeof(((%s *)0)->%s[0]));\n", struct, $2, type, $2, type, $2
            next
        }
        $1 == "field" {
            printf "printf(\"field\\t%s.%s\\toffset=%%zu\\tsize=%%zu\\ttype=%%s\\n\", offsetof(%s, %s)," \
                " sizeof(((%s *)0)->%s), TYPE(((%s *)0)->%s));\n", struct, $2, type, $2, type, $2, type, $2
        }
        $1 == "value" {
            printf "printf(\"value\\t%s\\t%%lld\\t0x%%llx\\n\", (long long)(%s), (unsigned long long)(%s));\n", $2, $2, $2
        }
        END { print "return 0; }" }' "$names" >"$work/values.c"
    if gcc -std=gnu11 -fmax-errors=0 -ftrack-macro-expansion=0 ${headers:+-I"$headers"} -o "$work/values" "$work/values.c" \
        2>"$work/errors"; then
        break
    fi
    sed -n 's/^table:\([0-9]*\):[0-9]*: error: .*/\1/p' "$work/errors" | sort -un >"$work/wrong"
    if ! [ -s "$work/wrong" ]; then
        cat "$work/errors" >&2
        exit 1
    fi
    cat "$work/wrong" >>"$work/missing"
done
awk -v missing="$work/missing" '
    BEGIN { while ((getline line <missing) > 0) { gone[line] = 1 } }
    $1 == "struct" { struct = $2 }
    FNR in gone { print "not in these headers: " ($1 == "field" ? "field " struct "." $2 : $1 " " $2) }' \
    "$names" >&2
"$work/values"
