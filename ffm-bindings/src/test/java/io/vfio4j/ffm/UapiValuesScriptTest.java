// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script that makes the golden values, with this host's compiler and its headers, which may be old ones. */
class UapiValuesScriptTest {
    private static final Path FOLDER = Path.of("src/test/c");

    /** What headers older than the golden ones say of structs that have grown since. */
    private static final Set<String> GROWN = Set.of("struct\tvfio_device_info\tsize=20\talign=4");

    @TempDir
    private Path work;

    @Test
    void shouldPrintTheGoldenValuesOfAllThatTheHostsHeadersKnow() throws Exception {
        Output output = run("uapi-values.sh");
        Set<String> golden = new LinkedHashSet<>();
        for (String resource : List.of("uapi-values.tsv", "uapi-more-values.tsv")) {
            golden.addAll(Files.readAllLines(Path.of("src/test/resources", resource)));
        }
        golden.removeIf(line -> line.startsWith("#"));
        List<String> printed =
                output.lines.stream().filter(line -> !line.startsWith("#")).toList();
        assertThat(printed).hasSizeGreaterThan(400);
        assertThat(printed).filteredOn(line -> !GROWN.contains(line)).allMatch(golden::contains, "is golden");
        // What is not printed is named: one line for each name of the table that the headers do not know.
        assertThat(printed.size() + output.errors.size()).isEqualTo(golden.size());
        assertThat(output.errors).allMatch(line -> line.startsWith("not in these headers: "));
    }

    @Test
    void shouldLookInTheGivenFolderFirstAndLeaveOutWhatItDoesNotKnow() throws Exception {
        Path headers = work.resolve("headers");
        Files.createDirectories(headers.resolve("linux"));
        Files.writeString(headers.resolve("linux/vfio.h"), """
                #include <linux/types.h>
                struct vfio_group_status { __u32 argsz; __u64 flags; };
                #define VFIO_API_VERSION 77
                """);
        Output output = run("uapi-values.sh", headers.toString());
        assertThat(output.lines)
                .contains(
                        "struct\tvfio_group_status\tsize=16\talign=8",
                        "field\tvfio_group_status.flags\toffset=8\tsize=8\ttype=u64",
                        "value\tVFIO_API_VERSION\t77\t0x4d",
                        "value\tKVM_API_VERSION\t12\t0xc");
        assertThat(output.lines).noneMatch(line -> line.contains("vfio_device_info"));
        assertThat(output.errors)
                .contains(
                        "not in these headers: struct vfio_device_info",
                        "not in these headers: field vfio_device_info.argsz",
                        "not in these headers: value VFIO_DEVICE_FEATURE");
    }

    private record Output(List<String> lines, List<String> errors) {}

    private Output run(String... command) throws IOException, InterruptedException {
        assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/gcc")) && Files.exists(Path.of("/usr/include/linux/kvm.h")),
                "this host has no gcc with the kernel's headers");
        Path lines = work.resolve("lines");
        Path errors = work.resolve("errors");
        command[0] = FOLDER.resolve(command[0]).toString();
        int status = new ProcessBuilder(command)
                .redirectOutput(lines.toFile())
                .redirectError(errors.toFile())
                .start()
                .waitFor();
        assertThat(status).as("%s", Files.readString(errors)).isZero();
        return new Output(Files.readAllLines(lines), Files.readAllLines(errors));
    }
}
