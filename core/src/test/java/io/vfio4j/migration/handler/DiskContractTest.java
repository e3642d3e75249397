// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.HandlerContract;
import io.vfio4j.migration.MachinePart;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/** A disk with data, holes and a length that is no multiple of anything. */
class DiskContractTest extends HandlerContract {
    static final long LENGTH = (1 << 20) + 3 * DiskFile.SECTOR;
    static final int GRANULARITY = 4096;

    final LibC libc = LibC.system();

    DiskFile disk(long length, int sector, boolean readOnly) {
        return new DiskFile(
                libc,
                length,
                GRANULARITY,
                (system, fd) -> new FdDisk(system, fd, "disk", sector, readOnly, FdDisk.Room.AS_NEEDED));
    }

    @Override
    protected MachinePart filled(Random random) {
        DiskFile disk = disk(LENGTH, DiskFile.SECTOR, false);
        byte[] data = new byte[100_000];
        random.nextBytes(data);
        disk.write(300_000, data);
        disk.write(LENGTH - 700, new byte[] {1, 2, 3});
        for (int i = 0; i < 20; i++) {
            disk.change(random);
        }
        return disk;
    }

    @Override
    protected MachinePart empty() {
        DiskFile disk = disk(LENGTH, DiskFile.SECTOR, false);
        // What was there before is to be gone.
        disk.write(0, new byte[] {9, 9, 9});
        disk.write(900_000, new byte[] {9, 9, 9});
        return disk;
    }

    @Override
    protected Map<String, Supplier<MachinePart>> misfits() {
        return Map.of(
                "the source's disk has " + LENGTH + " bytes, this one " + (LENGTH - 512),
                () -> disk(LENGTH - 512, DiskFile.SECTOR, false),
                "the source's disk has sectors of 512 bytes, this one of 4096",
                () -> disk(LENGTH, 4096, false),
                "this disk is read-only",
                () -> disk(LENGTH, DiskFile.SECTOR, true));
    }
}
