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
    private static final int SMALL = 4 << 10;
    private static final int LARGE = 1 << 20;

    /** {@code FIONREAD}: an ioctl that every file answers, and that writes to its argument as those of VFIO do. */
    private static final long FIONREAD = 0x541B;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(LARGE, SMALL);
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

    /**
     * A read of 4 KiB.
     *
     * @return its result
     */
    @Benchmark
    public long read4KiB() {
        return require((int) libc.read(zero, buffer, 0, SMALL));
    }

    /**
     * A read of 1 MiB.
     *
     * @return its result
     */
    @Benchmark
    public long read1MiB() {
        return require((int) libc.read(zero, buffer, 0, LARGE));
    }

    private static int require(int result) {
        if (result < 0) {
            throw new IllegalStateException("a call failed: " + result);
        }
        return result;
    }
}
