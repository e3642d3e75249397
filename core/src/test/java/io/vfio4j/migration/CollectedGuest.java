// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * A virtual machine that writes to as many pages between two collections as it is told to, right before the second one
 * reports them: what is written when depends on no clock and no thread.
 */
final class CollectedGuest implements DirtyTracker {
    private static final long PAGE = 4096;
    private static final int HUNDRED = 100;

    private final MemorySegment memory;
    private final Random random;
    private final int pagesEachTime;
    final List<Integer> throttles = Collections.synchronizedList(new ArrayList<>());
    volatile int failAt = Integer.MAX_VALUE;
    volatile int collections;
    volatile boolean watches;
    volatile boolean runs = true;
    private volatile int throttle;

    CollectedGuest(MemorySegment memory, Random random, int pagesEachTime) {
        this.memory = memory;
        this.random = random;
        this.pagesEachTime = pagesEachTime;
    }

    @Override
    public Capability capability() {
        return new Capability("a simulated guest", Set.of(), false, "nothing");
    }

    @Override
    public long start(List<AddressRange> ranges, long pageSizeHint) {
        watches = true;
        return pageSizeHint;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread at a time
    public Collected collect(AddressRange range, DirtyBitmap into) {
        collections++;
        boolean fails = collections >= failAt;
        if (runs || fails) {
            for (int i = pagesEachTime * (HUNDRED - throttle) / HUNDRED; i > 0; i--) {
                long page = random.nextLong(memory.byteSize() / PAGE);
                memory.set(JAVA_LONG, page * PAGE + random.nextInt(512) * 8L, random.nextLong());
                if (!fails) {
                    into.mark(new AddressRange(range.start() + page * PAGE, PAGE));
                }
            }
        }
        if (fails) {
            throw new IllegalStateException("the log is gone");
        }
        return Collected.REPORTED;
    }

    @Override
    public void stop() {
        watches = false;
    }

    @Override
    public void close() {}

    /** The virtual machine. */
    VirtualMachine machine() {
        return new VirtualMachine() {
            @Override
            public void throttle(int percent) {
                throttles.add(percent);
                throttle = percent;
            }

            @Override
            public void stop() {
                runs = false;
            }

            @Override
            public void resume() {
                runs = true;
            }
        };
    }
}
