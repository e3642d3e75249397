// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DeviceDmaTracker;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.DeviceFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
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
 * What dirty pages cost in this process: 64 GiB of addresses by 4 KiB, some of them dirty. The kernel's part is a copy
 * of a bitmap here, so that what is measured is the library's.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DirtyPages {
    private static final long PAGE = 4096;
    private static final AddressRange RANGE = new AddressRange(0, 64L << 30);
    private static final long SEED = 42;

    /** How many pages in a thousand are dirty. */
    @Param({"1", "10", "500"})
    public int dirtyPerMille;

    /** How many dirty pages follow each other: 1 is the worst case, a random page each. */
    @Param({"1", "64"})
    public int runPages;

    private final Arena arena = Arena.ofShared();
    private final DirtyBitmap written = new DirtyBitmap(arena, RANGE, PAGE);
    private final DirtyBitmap collected = new DirtyBitmap(arena, RANGE, PAGE);
    private long runs;

    @SuppressWarnings("NullAway.Init") // start() makes it
    private DeviceDmaTracker tracker;

    /** What JMH reports beside the time of a whole pass: the time per run and per page. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Counted {
        /** Runs of dirty pages. */
        public long runs;

        /** Pages, dirty or not. */
        public long pages;
    }

    /**
     * Makes the pages dirty and starts a tracker whose kernel reports them.
     *
     * @throws DirtyTrackingException never
     */
    @Setup(Level.Trial)
    public void start() throws DirtyTrackingException {
        SplittableRandom random = new SplittableRandom(SEED);
        long blocks = written.pages() / runPages;
        for (long i = 0; i < blocks; i++) {
            if (random.nextInt(1000) < dirtyPerMille) {
                written.mark(new AddressRange(i * runPages * PAGE, runPages * PAGE));
            }
        }
        written.forEachRun((address, length) -> runs++);
        LibC kernel = new ForwardingLibC() {
            @Override
            public int ioctl(int fd, long request, MemorySegment argument) {
                MemorySegment.copy(
                        written.memory(),
                        0,
                        collected.memory(),
                        0,
                        written.memory().byteSize());
                return 0;
            }
        };
        tracker = new DeviceDmaTracker(new DeviceFd(kernel, 0), "bench");
        tracker.start(List.of(RANGE), PAGE);
    }

    /** Gives the bitmaps back. */
    @TearDown(Level.Trial)
    public void stop() {
        tracker.close();
        arena.close();
    }

    /**
     * Collects, and visits what was collected, as a migration's round does.
     *
     * @param counted of what
     * @return the bytes that are dirty
     * @throws DirtyTrackingException never
     */
    @Benchmark
    public long collectAndVisit(Counted counted) throws DirtyTrackingException {
        Collected how = tracker.collect(RANGE, collected);
        counted.runs += runs;
        counted.pages += written.pages();
        return how.reported() ? visit(collected) : 0;
    }

    /**
     * Visits the runs only.
     *
     * @param counted of what
     * @return the bytes that are dirty
     */
    @Benchmark
    public long forEachRun(Counted counted) {
        counted.runs += runs;
        counted.pages += written.pages();
        return visit(written);
    }

    /**
     * Counts the dirty pages.
     *
     * @return how many there are
     */
    @Benchmark
    public long dirtyPages() {
        return written.dirtyPages();
    }

    /**
     * A plain sum over the bitmap's words: what reading that memory costs.
     *
     * @return the sum
     */
    @Benchmark
    public long plainSum() {
        MemorySegment words = written.memory();
        long sum = 0;
        for (long at = 0; at < words.byteSize(); at += Long.BYTES) {
            sum += words.get(ValueLayout.JAVA_LONG, at);
        }
        return sum;
    }

    private static long visit(DirtyBitmap bitmap) {
        long[] bytes = new long[1];
        bitmap.forEachRun((address, length) -> bytes[0] += length);
        return bytes[0];
    }
}
