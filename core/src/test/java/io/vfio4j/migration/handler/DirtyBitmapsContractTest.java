// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import io.vfio4j.migration.StateHandler;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Supplier;

/** Two disks with three bitmaps, whose bits go when the destination runs. */
class DirtyBitmapsContractTest extends HandlerContract {
    private static final long SYSTEM = (64 << 20) + 512;
    private static final long DATA = 1 << 20;

    /** A machine whose guest writes to its disks. */
    static final class Machine implements MachinePart {
        final DiskBitmaps bitmaps;
        final DirtyBitmapsHandler handler;

        Machine(Map<String, Long> disks, DirtyBitmapsHandler.When when) {
            bitmaps = new DiskBitmaps(disks);
            handler = new DirtyBitmapsHandler("bitmaps", bitmaps, when);
        }

        @Override
        public StateHandler handler() {
            return handler;
        }

        @Override
        public void change(Random random) {
            bitmaps.mark("system", random.nextLong(SYSTEM - 5000), random.nextInt(5000));
            bitmaps.mark("data", random.nextLong(DATA - 5000), random.nextInt(5000));
        }

        @Override
        public Object contents() {
            Map<String, List<Object>> contents = new TreeMap<>();
            for (DiskBitmap bitmap : bitmaps.list()) {
                contents.put(
                        bitmap.disk() + "/" + bitmap.name(),
                        List.of(
                                bitmap.persistent(),
                                bitmap.enabled(),
                                bitmap.bits().granularity(),
                                bitmaps.isInconsistent(bitmap),
                                bitsOf(bitmap.bits())));
            }
            return contents;
        }

        @Override
        public void close() {}
    }

    static String bitsOf(BlockBitmap bits) {
        StringBuilder runs = new StringBuilder();
        long from = bits.nextMarked(0);
        while (from < bits.blocks()) {
            long end = bits.nextUnmarked(from);
            runs.append(from).append('-').append(end).append(' ');
            from = bits.nextMarked(end);
        }
        return runs.toString();
    }

    DirtyBitmapsHandler.When when() {
        return DirtyBitmapsHandler.When.AFTER_SWITCHOVER;
    }

    @Override
    protected MachinePart filled(Random random) {
        Machine machine = new Machine(Map.of("system", SYSTEM, "data", DATA), when());
        machine.bitmaps.add(new DiskBitmap("system", "backup of Monday", new BlockBitmap(SYSTEM, 4096), true, true));
        machine.bitmaps.add(new DiskBitmap("system", "mirror", new BlockBitmap(SYSTEM, 512), false, true));
        BlockBitmap off = new BlockBitmap(DATA, 65_536);
        off.markAll();
        machine.bitmaps.add(new DiskBitmap("data", "off", off, true, false));
        for (int i = 0; i < 2000; i++) {
            machine.change(random);
        }
        return machine;
    }

    @Override
    protected MachinePart empty() {
        return new Machine(Map.of("system", SYSTEM, "data", DATA), when());
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of(
                "disk data is missing here",
                () -> new Machine(Map.of("system", SYSTEM), when()),
                "disk system has " + SYSTEM + " bytes at the source, 512 here",
                () -> new Machine(Map.of("system", 512L, "data", DATA), when()));
    }
}
