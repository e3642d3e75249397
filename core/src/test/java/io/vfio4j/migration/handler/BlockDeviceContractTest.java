// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** A disk on a block device: a loop device, which the kernel makes of a file for the test. */
class BlockDeviceContractTest extends DiskContractTest {
    @TempDir
    private Path folder = Path.of("");

    private final List<String> devices = new ArrayList<>();

    @BeforeAll
    static void needsLoopDevices(@TempDir Path folder) throws IOException {
        assumeTrue(Files.isWritable(Path.of("/dev/loop-control")), "/dev/loop-control cannot be opened for writing");
        Path file = Files.write(folder.resolve("disk"), new byte[DiskFile.SECTOR]);
        try {
            losetup("-d", losetup("--find", "--show", file.toString()));
        } catch (IOException e) {
            Assumptions.abort("no loop device can be made: " + e.getMessage());
        }
    }

    @Override
    DiskFile disk(long length, int sector, boolean readOnly) {
        try {
            Path file = Files.createTempFile(folder, "disk", "");
            Files.write(file, new byte[(int) length]);
            String device = losetup("--find", "--show", file.toString());
            devices.add(device);
            int fd = libc.open(device, LibC.O_RDWR | LibC.O_CLOEXEC);
            return new DiskFile(
                    libc,
                    fd,
                    length,
                    GRANULARITY,
                    (system, each) -> new FdDisk(system, each, device, sector, readOnly, FdDisk.Room.AS_NEEDED));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterEach
    void giveBack() throws IOException {
        for (String device : devices) {
            losetup("-d", device);
        }
        devices.clear();
    }

    private static String losetup(String... words) throws IOException {
        List<String> command = new ArrayList<>(List.of("losetup"));
        command.addAll(List.of(words));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        try {
            if (process.waitFor() != 0) {
                throw new IOException(said);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return said;
    }
}
