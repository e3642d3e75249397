// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.handler.GuestMemory.Region;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Two regions, one of them read-only, and a guest that says itself what it has written to. */
class GuestMemoryContractTest extends HandlerContract {
    private static final long PAGE = GuestMemory.PAGE_BYTES;
    private static final long ROM_ADDRESS = 0xFFFC_0000L;
    private static final int PAGES = 48;

    private static final class Machine implements MachinePart, DirtyTracker {
        private final MemorySegment ram;
        private final MemorySegment rom = Arena.ofAuto().allocate(2 * PAGE, PAGE);
        private final Set<Long> written = ConcurrentHashMap.newKeySet();
        private final GuestMemoryHandler handler;

        Machine(String name, long address, int pages) {
            ram = Arena.ofAuto().allocate(pages * PAGE, PAGE);
            handler = new GuestMemory(
                            List.of(
                                    Region.of(name, address, ram),
                                    Region.of("rom", ROM_ADDRESS, rom).withReadOnly()),
                            this)
                    .handler("memory");
        }

        @Override
        public StateHandler handler() {
            return handler;
        }

        @Override
        public void change(Random random) {
            long page = random.nextInt(PAGES);
            if (random.nextInt(4) == 0) {
                ram.asSlice(page * PAGE, PAGE).fill((byte) 0);
            } else {
                ram.set(JAVA_LONG, page * PAGE + random.nextInt(512) * 8L, random.nextLong());
            }
            written.add(page);
        }

        @Override
        public Object contents() {
            List<Integer> pages = new ArrayList<>();
            for (MemorySegment region : List.of(ram, rom)) {
                for (long at = 0; at < region.byteSize(); at += PAGE) {
                    pages.add(Arrays.hashCode(region.asSlice(at, PAGE).toArray(JAVA_BYTE)));
                }
            }
            return pages;
        }

        @Override
        public Capability capability() {
            return new Capability("the guest itself", Set.of(), false, "nothing");
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) {
            written.clear();
            return pageSizeHint;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            for (long page = 0; page < PAGES; page++) {
                if (written.remove(page)) {
                    into.mark(new AddressRange(range.start() + page * PAGE, PAGE));
                }
            }
            return Collected.REPORTED;
        }

        @Override
        public void stop() {}

        @Override
        public void close() {}
    }

    @Override
    protected MachinePart filled(Random random) {
        Machine machine = new Machine("ram", 0, PAGES);
        for (int i = 0; i < 2 * PAGES; i++) {
            machine.change(random);
        }
        machine.rom.set(JAVA_LONG, PAGE, random.nextLong());
        return machine;
    }

    @Override
    protected MachinePart empty() {
        return new Machine("ram", 0, PAGES);
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of(
                "region ram is 192 KiB at the source, 188 KiB here",
                () -> new Machine("ram", 0, PAGES - 1),
                "region ram is at guest address 0x0 at the source, 0x100000 here",
                () -> new Machine("ram", 1 << 20, PAGES),
                "region ram of 192 KiB at the source is missing here",
                () -> new Machine("memory", 0, PAGES));
    }
}
