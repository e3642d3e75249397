// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.ffm.LibC;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a system call through the bindings costs; {@link BindingsAgainstC} runs the same loops in C beside it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class BindingCost {
    private static final int PAGE = 4 << 10;
    private static final int LARGEST = 4 << 20;

    /** {@code FIONREAD}: an ioctl that every file answers, and that writes to its argument as those of VFIO do. */
    private static final long FIONREAD = 0x541B;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(LARGEST, PAGE);
    private int memfd;
    private int zero;

    /** Opens what is called. */
    @Setup(Level.Trial)
    public void open() {
        memfd = require(libc.memfdCreate("bindings", LibC.MFD_CLOEXEC));
        zero = require(libc.open("/dev/zero", LibC.O_RDONLY | LibC.O_CLOEXEC));
    }

    /** Closes it. */
    @TearDown(Level.Trial)
    public void close() {
        libc.close(memfd);
        libc.close(zero);
        arena.close();
    }

    /**
     * An ioctl that writes an int.
     *
     * @return its result
     */
    @Benchmark
    public int ioctl() {
        return require(libc.ioctl(memfd, FIONREAD, buffer));
    }

    /** How much is read. */
    @State(Scope.Thread)
    public static class Length {
        /** Bytes. */
        @Param({"4096", "65536", "1048576", "4194304"})
        public int bytes;
    }

    /**
     * A read.
     *
     * @param length of how much
     * @return its result
     */
    @Benchmark
    public long read(Length length) {
        return require((int) libc.read(zero, buffer, 0, length.bytes));
    }

    private static int require(int result) {
        if (result < 0) {
            throw new IllegalStateException("a call failed: " + result);
        }
        return result;
    }
}
