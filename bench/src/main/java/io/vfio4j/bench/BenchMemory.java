// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.migration.handler.GuestMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;

/** Memory of a guest that does nothing, for benchmarks. */
public final class BenchMemory {
    private BenchMemory() {}

    /** What a benchmark's memory holds. */
    public enum Content {
        /** Nothing but zeros. */
        ZERO,
        /** Something in each page. */
        FULL,
        /** 16 pages with something, 16 zero ones, in turn. */
        MIXED
    }

    static MemorySegment map(Arena arena, long bytes, Content content) {
        MemorySegment memory = MappedMemory.map(LibC.system(), bytes, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        // Written to in any case: a page that is not there would be no memory to read.
        memory.fill((byte) 0);
        for (long page = 0; page < bytes / GuestMemory.PAGE_BYTES; page++) {
            if (content == Content.FULL || (content == Content.MIXED && (page & 16) == 0)) {
                memory.asSlice(page * GuestMemory.PAGE_BYTES, GuestMemory.PAGE_BYTES)
                        .fill((byte) (page | 1));
            }
        }
        return memory;
    }

    /** A plain sum: what reading that memory costs. */
    static long sum(MemorySegment memory) {
        long sum = 0;
        for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
            sum += memory.get(ValueLayout.JAVA_LONG, at);
        }
        return sum;
    }

    static GuestMemory of(MemorySegment memory) {
        return new GuestMemory(List.of(GuestMemory.Region.of("ram", 0, memory)), new Idle());
    }

    /** Nothing becomes dirty. */
    private static final class Idle implements DirtyTracker {
        @Override
        public Capability capability() {
            return new Capability("an idle guest", Set.of(), false, "nothing");
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) {
            return pageSizeHint;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            return Collected.REPORTED;
        }

        @Override
        public void stop() {}

        @Override
        public void close() {}
    }
}
