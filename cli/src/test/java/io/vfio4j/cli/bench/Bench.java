// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioException;
import io.vfio4j.emulator.EmulatedDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** An emulated device to measure, its contents known, and a clock. Closing it fails when fds are left over. */
final class Bench implements AutoCloseable {
    static final long SECOND = 1_000_000_000;
    static final long MIB = 1 << 20;
    static final long MINUTE = 60 * SECOND;

    final ManualTime time;
    final EmulatedDevice emulated;
    final VfioDevice device;
    private final EmulatedKernel kernel;
    private final long before;
    private long fds;

    Bench(String spec, long nanosPerLook) throws IOException {
        time = new ManualTime(nanosPerLook);
        kernel = new EmulatedKernel(LibC.system(), time::nanoTime);
        emulated = kernel.add(EmulatedDeviceSpec.parse(spec));
        device = emulated.open();
        before = emulated.digest();
        fds = fds();
    }

    EmulatedDevice add(String spec) throws IOException {
        long without = fds();
        EmulatedDevice added = kernel.add(EmulatedDeviceSpec.parse(spec));
        fds += fds() - without;
        return added;
    }

    /** The device runs, and with what it held. */
    void hasItsState() throws VfioException {
        assertThat(device.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(emulated.digest()).as("digest").isEqualTo(before);
    }

    /** How many fds the emulator has handed out; the JVM's own come and go. */
    private static long fds() throws IOException {
        long count = 0;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path entry : entries) {
                if (target(entry).startsWith("/memfd:")) {
                    count++;
                }
            }
        }
        return count;
    }

    private static String target(Path entry) throws IOException {
        try {
            return Files.readSymbolicLink(entry).toString();
        } catch (NoSuchFileException e) {
            // Closed since it was listed, such as the listing's own.
            return "";
        }
    }

    @Override
    public void close() throws IOException {
        long now = fds();
        device.close();
        kernel.close();
        assertThat(now).as("open fds").isEqualTo(fds);
    }
}
