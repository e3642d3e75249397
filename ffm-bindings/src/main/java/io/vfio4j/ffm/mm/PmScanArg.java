// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/**
 * Mirrors {@code struct pm_scan_arg} of {@code linux/fs.h}: finds pages of this process, and write-protects them in the
 * same step.
 */
public final class PmScanArg {
    private static final Struct.Builder C = Struct.named("pm_scan_arg");

    /** {@code size}: the length of the whole argument in bytes, set by the caller. */
    public static final Struct.U64 SIZE = C.u64("size");

    /** {@code flags}: {@code PM_SCAN_*}. */
    public static final Struct.U64 FLAGS = C.u64("flags");

    /** {@code start}: the address to scan from, a multiple of the page size. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code end}: the address to scan to. */
    public static final Struct.U64 END = C.u64("end");

    /**
     * {@code walk_end}: receives the address that the scan has come to; less than {@code end} when the array is full.
     */
    public static final Struct.U64 WALK_END = C.u64("walk_end");

    /** {@code vec}: the address of an array of {@link PageRegion} to fill, 0 for none. */
    public static final Struct.U64 VEC = C.u64("vec");

    /** {@code vec_len}: how many elements. */
    public static final Struct.U64 VEC_LEN = C.u64("vec_len");

    /** {@code max_pages}: how many pages to find at the most, 0 for all. */
    public static final Struct.U64 MAX_PAGES = C.u64("max_pages");

    /** {@code category_inverted}: the categories that a page must not be in, of those in the masks. */
    public static final Struct.U64 CATEGORY_INVERTED = C.u64("category_inverted");

    /** {@code category_mask}: the categories that a page must be in all of. */
    public static final Struct.U64 CATEGORY_MASK = C.u64("category_mask");

    /** {@code category_anyof_mask}: the categories that a page must be in any of, 0 for no such condition. */
    public static final Struct.U64 CATEGORY_ANYOF_MASK = C.u64("category_anyof_mask");

    /** {@code return_mask}: the categories to report. */
    public static final Struct.U64 RETURN_MASK = C.u64("return_mask");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private PmScanArg() {}
}
