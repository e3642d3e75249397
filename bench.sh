#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the JMH benchmarks, and compares the results of two runs.
#
#   ./bench.sh [--out FILE] [REGEX] [JMH OPTION]...   all benchmarks, or those whose names match
#   ./bench.sh --short [--out FILE]                   a few parameters of each, about two minutes
#   ./bench.sh compare BEFORE AFTER [PERCENT]         what has changed beyond the noise, and by more than 5 percent
#
# The results go to FILE as JMH's JSON, bench/target/bench.json or bench-short.json unless told otherwise, and the
# distribution of each part of the downtime to FILE's name with .downtime-DEVICE.hlog for .json, as HdrHistogram's logs.
# JMH's options are shown by ./bench.sh -h, its benchmarks by ./bench.sh -l. Some of use:
#
#   ./bench.sh PreCopyThroughput -p device=DEVICE -p to=DEVICE   two real devices instead of emulated ones
#   ./bench.sh SaveThroughput -p device=DEVICE -p target=NULL    how fast a real device is read
#   ./bench.sh FrameCost -f 3                                    three JVMs: what differs between them counts as noise
#
# Builds what is not built or older than its sources. Exit status: 0 all ran, or nothing got worse; 1 a benchmark
# failed, or something got worse; 2 wrong usage; 3 something needed is missing.
set -euo pipefail
root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
jar=$root/bench/target/benchmarks.jar

usage() {
    echo "bench.sh: $1; see ./bench.sh --help" >&2
    exit 2
}

action=run
out=
arguments=()
if [[ ${1-} == compare ]]; then
    action=compare
    shift
fi
while (($#)); do
    case $1 in
    --help)
        sed -n '4,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    --short)
        [[ $action == run ]] || usage "--short stands alone"
        action=short
        ;;
    --out)
        (($# > 1)) || usage "--out needs a file"
        out=$2
        shift
        ;;
    --*) usage "unknown option $1" ;;
    # JMH only lists something, and no results of an earlier run are to be removed for that.
    -h | -l | -lp | -lprof | -lrf)
        action=list
        arguments+=("$1")
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
[[ $action != short ]] || ((!${#arguments[@]})) || usage "--short has a selection of its own: leave out ${arguments[*]}"
[[ $action != compare || -z $out ]] || usage "compare prints, and has no --out"

if ! java_home=$("$root/scripts/java-home"); then
    echo "bench.sh: no JDK 22 or newer in JAVA_HOME, PATH or /usr/lib/jvm: install one (25 is recommended)" >&2
    exit 3
fi
if [[ ! -e $jar || -n $(find "$root"/pom.xml "$root"/{ffm-bindings,core,emulator,bench}/{pom.xml,src/main} -newer "$jar" -print -quit) ]]; then
    if ! command -v mvn >/dev/null; then
        echo "bench.sh: Maven 3.6.3 or newer is needed to build: install the package maven" >&2
        exit 3
    fi
    echo "bench.sh: building ..." >&2
    mvn -q -B --no-transfer-progress -f "$root/pom.xml" -DskipTests -pl bench -am package >&2 || exit 1
fi
java=("$java_home/bin/java" --enable-native-access=ALL-UNNAMED)

case $action in
compare) exec "${java[@]}" -cp "$jar" io.vfio4j.bench.ResultComparison "${arguments[@]}" ;;
list) exec "${java[@]}" -jar "$jar" "${arguments[@]}" ;;
short) name=bench-short ;;
run) name=bench ;;
esac
out=${out:-$root/bench/target/$name.json}
prefix=${out%.json}
mkdir -p -- "$(dirname -- "$out")"
# Forks add to a log; those of an earlier run are not theirs.
rm -f -- "$prefix".downtime-*.hlog
java+=("-Dvfio4j.bench.out=$prefix")
if [[ $action == short ]]; then
    # Its times are no measurement, so another JMH beside it does no harm.
    exec "${java[@]}" -Djmh.ignoreLock=true -cp "$jar" io.vfio4j.bench.ShortRun "$out"
fi
exec "${java[@]}" -jar "$jar" -foe true -prof gc -rf json -rff "$out" "${arguments[@]}"
