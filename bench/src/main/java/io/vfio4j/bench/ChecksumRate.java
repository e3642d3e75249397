// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.AuxCounters;
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

/**
 * How fast a direct buffer is checksummed, beside how fast it can be read at all: the counter {@code kib} is KiB per
 * second. Up to 1 MiB the buffer stays in a cache, as a chunk that was just read does; 64 MiB does not.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class ChecksumRate {
    private static final long SEED = 42;
    private static final int SUMS = 4;

    /** How long the buffer is, in bytes. */
    @Param({"4096", "65536", "1048576", "67108864"})
    public int bytes;

    private final CRC32C crc = new CRC32C();

    @SuppressWarnings("NullAway.Init") // open() makes them
    private BufferPool pool;

    @SuppressWarnings("NullAway.Init")
    private PooledBuffer buffer;

    @SuppressWarnings("NullAway.Init")
    private MemorySegment words;

    /** What JMH reports beside the buffers per second. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Passed {
        /** How many KiB were read. */
        public long kib;
    }

    /** Makes the buffer and fills it. */
    @Setup(Level.Trial)
    public void open() {
        pool = new BufferPool(LibC.system(), 1, bytes, false);
        buffer = Objects.requireNonNull(pool.tryAcquire());
        words = buffer.memory().asSlice(PooledBuffer.HEAD_ROOM, bytes);
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < bytes / Long.BYTES; i++) {
            words.setAtIndex(ValueLayout.JAVA_LONG, i, random.nextLong());
        }
    }

    /** Frees it. */
    @TearDown(Level.Trial)
    public void close() {
        pool.release(buffer);
        pool.close();
    }

    /**
     * The checksum that every frame carries.
     *
     * @param passed the counter
     * @return the checksum
     */
    @Benchmark
    public long crc32c(Passed passed) {
        passed.kib += bytes >> 10;
        crc.reset();
        crc.update(buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + bytes));
        return crc.getValue();
    }

    /**
     * A plain sum of the words: what reading the memory costs.
     *
     * @param passed the counter
     * @return the sum
     */
    @Benchmark
    public long plainSum(Passed passed) {
        passed.kib += bytes >> 10;
        long a = 0;
        long b = 0;
        long c = 0;
        long d = 0;
        // Sums of their own, so that none waits for the one before.
        for (int i = 0; i < bytes / Long.BYTES; i += SUMS) {
            a += words.getAtIndex(ValueLayout.JAVA_LONG, i);
            b += words.getAtIndex(ValueLayout.JAVA_LONG, i + 1);
            c += words.getAtIndex(ValueLayout.JAVA_LONG, i + 2);
            d += words.getAtIndex(ValueLayout.JAVA_LONG, i + 3);
        }
        return a + b + c + d;
    }
}
