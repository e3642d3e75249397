// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.IoctlRequest;

/** The constants of {@code PAGEMAP_SCAN}, of {@code linux/fs.h}, under their C names. */
public final class Pagemap {
    /** Finds pages of this process, and write-protects them. Linux 6.7. */
    public static final long PAGEMAP_SCAN = IoctlRequest.readWrite('f', 16, PmScanArg.STRUCT.size());

    /** Category: asynchronous write protection goes for the page. */
    public static final int PAGE_IS_WPALLOWED = 1 << 0;

    /** Category: the page was written since it was protected. */
    public static final int PAGE_IS_WRITTEN = 1 << 1;

    /** Category: the page belongs to a file. */
    public static final int PAGE_IS_FILE = 1 << 2;

    /** Category: the page is in memory. */
    public static final int PAGE_IS_PRESENT = 1 << 3;

    /** Category: the page is swapped out. */
    public static final int PAGE_IS_SWAPPED = 1 << 4;

    /** Category: the page is the shared page of zeros. */
    public static final int PAGE_IS_PFNZERO = 1 << 5;

    /** Category: the page is a part of a huge one. */
    public static final int PAGE_IS_HUGE = 1 << 6;

    /** Category: the page is soft-dirty. */
    public static final int PAGE_IS_SOFT_DIRTY = 1 << 7;

    /** Write-protects what is found, in the same step. */
    public static final int PM_SCAN_WP_MATCHING = 1 << 0;

    /** Fails with {@code EPERM} where asynchronous write protection does not go for a page of the range. */
    public static final int PM_SCAN_CHECK_WPASYNC = 1 << 1;

    private Pagemap() {}
}
