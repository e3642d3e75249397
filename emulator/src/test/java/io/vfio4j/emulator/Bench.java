// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/** An emulated kernel on a test's bench: with a clock that moves when told, and what reads and writes sessions. */
final class Bench implements AutoCloseable {
    static final long CHUNK = 1 << 16;
    static final long SECOND = 1_000_000_000L;

    final EmulatedKernel kernel;
    final MemorySegment buffer;
    private final Arena arena = Arena.ofShared();
    private final List<OpenDevice> opened = new ArrayList<>();
    private long now;

    Bench() {
        kernel = new EmulatedKernel(LibC.system(), () -> now);
        buffer = arena.allocate(CHUNK);
    }

    OpenDevice open(String spec) {
        return open(kernel.add(EmulatedDeviceSpec.parse(spec)));
    }

    OpenDevice open(EmulatedDevice device) {
        OpenDevice open = new OpenDevice(kernel, device);
        opened.add(open);
        return open;
    }

    void pass(long nanos) {
        now += nanos;
    }

    long read(int fd, long length) {
        return kernel.read(fd, buffer, 0, length);
    }

    /** Reads until there is nothing now, in pieces of lengths that come from a source, into a sink. */
    long drain(int fd, ByteArrayOutputStream sink, LongSupplier lengths) {
        while (true) {
            long got = read(fd, lengths.getAsLong());
            if (got <= 0) {
                return got;
            }
            sink.writeBytes(buffer.asSlice(0, got).toArray(JAVA_BYTE));
        }
    }

    /** Reads all there is now and returns its bytes. */
    byte[] drain(int fd) {
        ByteArrayOutputStream sink = new ByteArrayOutputStream();
        assertThat(drain(fd, sink, () -> CHUNK)).isIn(0L, (long) Errno.ENOMSG.negated());
        return sink.toByteArray();
    }

    /** Writes bytes in pieces of lengths that come from a source: 0, or the -errno that stopped it. */
    long write(int fd, byte[] bytes, LongSupplier lengths) {
        int done = 0;
        while (done < bytes.length) {
            int length = (int) Math.min(lengths.getAsLong(), bytes.length - done);
            MemorySegment.copy(bytes, done, buffer, JAVA_BYTE, 0, length);
            long put = kernel.write(fd, buffer, 0, length);
            if (put < 0) {
                return put;
            }
            done += (int) put;
        }
        return 0;
    }

    long write(int fd, byte[] bytes) {
        return write(fd, bytes, () -> CHUNK);
    }

    static long openFds() {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.filter(fd -> link(fd).contains("vfio4j-")).count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String link(Path fd) {
        try {
            return Files.readSymbolicLink(fd).toString();
        } catch (IOException e) {
            // It was closed meanwhile, such as the one that lists the folder.
            return "";
        }
    }

    @Override
    public void close() {
        opened.forEach(OpenDevice::close);
        kernel.close();
        arena.close();
    }
}
