// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.Struct;

/** Mirrors {@code struct page_region} of {@code linux/fs.h}: a run of pages that a scan has found alike. */
public final class PageRegion {
    private static final Struct.Builder C = Struct.named("page_region");

    /** {@code start}: the address of the first byte. */
    public static final Struct.U64 START = C.u64("start");

    /** {@code end}: the address behind the last byte. */
    public static final Struct.U64 END = C.u64("end");

    /** {@code categories}: what the pages are, {@code PAGE_IS_*} of those asked for. */
    public static final Struct.U64 CATEGORIES = C.u64("categories");

    /** The layout. */
    public static final Struct STRUCT = C.end();

    private PageRegion() {}
}
