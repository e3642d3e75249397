// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.StateOutput;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.GuestMemoryHandler;
import io.vfio4j.migration.handler.ZeroPages;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
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
 * How fast memory is looked through for zero pages, and packed into runs with a checksum of each page that is present:
 * the counter {@code mib} is MiB per second. Memory is larger than the processor's caches.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class ZeroSearch {
    private static final long BYTES = 256L << 20;
    private static final int CHUNK = 1 << 20;

    /** What the memory holds. */
    @Param
    public BenchMemory.Content content = BenchMemory.Content.ZERO;

    private final Arena arena = Arena.ofShared();
    private final Nowhere nowhere = new Nowhere();

    @SuppressWarnings("NullAway.Init") // fill() makes them
    private MemorySegment memory;

    @SuppressWarnings("NullAway.Init")
    private GuestMemoryHandler handler;

    /** What JMH reports beside the passes per second. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Read {
        /** How many MiB of memory. */
        public long mib;
    }

    /** Takes what a handler sends, and does nothing with it. */
    private static final class Nowhere implements StateOutput, AutoCloseable {
        private final BufferPool pool = new BufferPool(LibC.system(), 1, CHUNK, false);

        @Override
        public PooledBuffer acquire() {
            return Objects.requireNonNull(pool.tryAcquire());
        }

        @Override
        public void giveBack(PooledBuffer unused) {
            pool.release(unused);
        }

        @Override
        public void send(PooledBuffer chunk) {
            pool.release(chunk);
        }

        @Override
        public void sendExtra(ByteBuffer extra) {}

        @Override
        public void sendPages(PooledBuffer table, List<MemorySegment> pages) {
            pool.release(table);
        }

        @Override
        public void notice(String text) {}

        @Override
        public void close() {
            pool.close();
        }
    }

    /** Fills the memory. */
    @Setup(Level.Trial)
    public void fill() {
        memory = BenchMemory.map(arena, BYTES, content);
        handler = BenchMemory.of(memory).handler("ram");
    }

    /** Gives it back. */
    @TearDown(Level.Trial)
    public void free() {
        nowhere.close();
        arena.close();
    }

    /**
     * A plain sum over the same memory.
     *
     * @param read the counter
     * @return the sum
     */
    @Benchmark
    public long plainSum(Read read) {
        read.mib += BYTES >> 20;
        return BenchMemory.sum(memory);
    }

    /**
     * Looks for zero pages as the handler does.
     *
     * @param read the counter
     * @return how many there are
     */
    @Benchmark
    public long zeroPages(Read read) {
        read.mib += BYTES >> 20;
        long pages = BYTES / GuestMemory.PAGE_BYTES;
        long zero = 0;
        long page = 0;
        while (page < pages) {
            long run = ZeroPages.leading(memory, page * GuestMemory.PAGE_BYTES, pages - page);
            zero += run;
            page += run + 1;
        }
        return zero;
    }

    /**
     * All that the handler does for a round of everything: the search, the checksums, the tables.
     *
     * @param read the counter
     * @return how many frames there were
     * @throws IOException never
     */
    @Benchmark
    public long packRuns(Read read) throws IOException {
        read.mib += BYTES >> 20;
        handler.saveSetup();
        long frames = 0;
        while (handler.iterate(nowhere)) {
            frames++;
        }
        handler.cleanup();
        return frames;
    }
}
