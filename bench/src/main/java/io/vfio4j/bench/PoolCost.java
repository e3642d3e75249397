// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
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
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** What it costs to take a buffer from a pool and to give it back, by how many threads share the pool. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class PoolCost {
    private static final int CAPACITY = 4096;

    @SuppressWarnings("NullAway.Init") // open() makes it
    private BufferPool pool;

    /** Makes the pool. */
    @Setup(Level.Trial)
    public void open() {
        pool = new BufferPool(LibC.system(), BufferPool.MAX_BUFFERS, CAPACITY, false);
    }

    /** Frees it; fails where a buffer is missing. */
    @TearDown(Level.Trial)
    public void close() {
        pool.close();
    }

    /**
     * One thread, as in a migration without overlap.
     *
     * @return the buffer
     */
    @Benchmark
    @Threads(1)
    public PooledBuffer acquireAndRelease1() {
        return acquireAndRelease();
    }

    /**
     * Two threads, as where reading and sending overlap.
     *
     * @return the buffer
     */
    @Benchmark
    @Threads(2)
    public PooledBuffer acquireAndRelease2() {
        return acquireAndRelease();
    }

    /**
     * Four threads.
     *
     * @return the buffer
     */
    @Benchmark
    @Threads(4)
    public PooledBuffer acquireAndRelease4() {
        return acquireAndRelease();
    }

    /**
     * Eight threads.
     *
     * @return the buffer
     */
    @Benchmark
    @Threads(8)
    public PooledBuffer acquireAndRelease8() {
        return acquireAndRelease();
    }

    private PooledBuffer acquireAndRelease() {
        PooledBuffer buffer = pool.tryAcquire();
        if (buffer == null) {
            throw new IllegalStateException("there are more buffers than threads, yet none is free");
        }
        pool.release(buffer);
        return buffer;
    }
}
