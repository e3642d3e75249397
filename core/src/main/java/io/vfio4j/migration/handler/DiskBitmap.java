// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

/**
 * A named dirty bitmap of a disk, such as one that an incremental backup goes by: {@code BdrvDirtyBitmap} in QEMU.
 *
 * @param disk the disk's name
 * @param name its own name; a disk has one of each name
 * @param bits what was written
 * @param persistent whether it is stored with the disk when that is closed
 * @param enabled whether it marks what is written from now on
 */
public record DiskBitmap(String disk, String name, BlockBitmap bits, boolean persistent, boolean enabled) {
    /** How long a name can be, in bytes of UTF-8. */
    public static final int MAX_NAME = 1023;
}
