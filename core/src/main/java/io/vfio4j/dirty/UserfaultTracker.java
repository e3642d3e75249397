// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import io.vfio4j.dirty.Capability.Writer;
import io.vfio4j.dirty.DirtyTrackingException.Problem;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.mm.PageRegion;
import io.vfio4j.ffm.mm.Pagemap;
import io.vfio4j.ffm.mm.PagemapFd;
import io.vfio4j.ffm.mm.PmScanArg;
import io.vfio4j.ffm.mm.UffdioApi;
import io.vfio4j.ffm.mm.UffdioRange;
import io.vfio4j.ffm.mm.UffdioRegister;
import io.vfio4j.ffm.mm.UffdioWriteprotect;
import io.vfio4j.ffm.mm.UserfaultFd;
import io.vfio4j.ffm.mm.Userfaultfd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/**
 * Watches what is written through this process's page table: {@code userfaultfd} with asynchronous write-protection,
 * and {@code PAGEMAP_SCAN}. Needs no device and no KVM, and Linux 6.7.
 *
 * <p>Addresses are this process's own. It sees this process and the guest that runs on its memory, but no DMA and no
 * other process. Memory that is given back with {@code MADV_DONTNEED} counts as written.
 */
public final class UserfaultTracker extends RangeTracker {
    private static final int REGIONS = 512;
    private static final int NO_FD = -1;

    private final LibC libc;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment scan = PmScanArg.STRUCT.allocate(arena);
    private final MemorySegment regions =
            arena.allocate(PageRegion.STRUCT.size() * REGIONS, PageRegion.STRUCT.alignment());
    private int userfaultfd = NO_FD;
    private int pagemap = NO_FD;

    /**
     * Makes a tracker that does not watch yet.
     *
     * @param libc the system calls
     */
    public UserfaultTracker(LibC libc) {
        super(new Capability(
                "userfaultfd and PAGEMAP_SCAN",
                Set.of(Writer.THIS_PROCESS, Writer.GUEST_CPU),
                false,
                "a walk over the range's page table, and a light fault per page and collection"));
        this.libc = libc;
        PmScanArg.SIZE.set(scan, PmScanArg.STRUCT.size());
        PmScanArg.FLAGS.set(scan, Pagemap.PM_SCAN_WP_MATCHING | Pagemap.PM_SCAN_CHECK_WPASYNC);
        PmScanArg.VEC.set(scan, regions.address());
        PmScanArg.VEC_LEN.set(scan, REGIONS);
        PmScanArg.CATEGORY_MASK.set(scan, Pagemap.PAGE_IS_WRITTEN);
        PmScanArg.RETURN_MASK.set(scan, Pagemap.PAGE_IS_WRITTEN);
    }

    @Override
    long begin(List<AddressRange> sorted, long pageSizeHint) throws DirtyTrackingException {
        boolean begun = false;
        try (Arena call = Arena.ofConfined()) {
            open();
            UserfaultFd fd = new UserfaultFd(libc, userfaultfd);
            MemorySegment api = UffdioApi.STRUCT.allocate(call);
            UffdioApi.API.set(api, Userfaultfd.UFFD_API);
            UffdioApi.FEATURES.set(
                    api,
                    Userfaultfd.UFFD_FEATURE_WP_ASYNC
                            | Userfaultfd.UFFD_FEATURE_WP_UNPOPULATED
                            | Userfaultfd.UFFD_FEATURE_WP_HUGETLBFS_SHMEM
                            | Userfaultfd.UFFD_FEATURE_PAGEFAULT_FLAG_WP);
            int result = fd.api(api);
            if (result < 0) {
                throw failure(
                        Problem.UNSUPPORTED, "asynchronous write-protection is not there; it needs Linux 6.7", result);
            }
            for (AddressRange range : sorted) {
                watch(fd, range, call);
            }
            begun = true;
        } finally {
            if (!begun) {
                end();
            }
        }
        return SMALLEST_PAGE;
    }

    private void open() throws DirtyTrackingException {
        userfaultfd = libc.userfaultfd(LibC.O_CLOEXEC);
        if (Errno.EPERM.is(userfaultfd)) {
            // Without privilege, faults inside the kernel cannot be waited for, which this does not do anyway.
            userfaultfd = libc.userfaultfd(LibC.O_CLOEXEC | Userfaultfd.UFFD_USER_MODE_ONLY);
        }
        if (Errno.EPERM.is(userfaultfd)) {
            throw failure(
                    Problem.UNSUPPORTED,
                    "userfaultfd(2) is forbidden, as a container's seccomp filter may do; allow it, or use another "
                            + "source of dirty pages",
                    userfaultfd);
        }
        if (userfaultfd < 0) {
            throw refused("userfaultfd(2)", userfaultfd);
        }
        pagemap = libc.open(PagemapFd.PATH, LibC.O_RDONLY | LibC.O_CLOEXEC);
        if (pagemap < 0) {
            throw refused("opening " + PagemapFd.PATH, pagemap);
        }
    }

    private void watch(UserfaultFd fd, AddressRange range, Arena call) throws DirtyTrackingException {
        MemorySegment register = UffdioRegister.STRUCT.allocate(call);
        set(UffdioRegister.RANGE.of(register), range);
        UffdioRegister.MODE.set(register, Userfaultfd.UFFDIO_REGISTER_MODE_WP);
        int result = fd.register(register);
        if (Errno.EBUSY.is(result)) {
            throw failure(Problem.BUSY, "another userfaultfd watches " + range + " already; stop that first", result);
        }
        if (result < 0) {
            throw failure(
                    Problem.BAD_RANGE, range + " is not writable memory of this process that can be watched", result);
        }
        MemorySegment protect = UffdioWriteprotect.STRUCT.allocate(call);
        set(UffdioWriteprotect.RANGE.of(protect), range);
        UffdioWriteprotect.MODE.set(protect, Userfaultfd.UFFDIO_WRITEPROTECT_MODE_WP);
        result = fd.writeprotect(protect);
        if (result < 0) {
            throw refused("write-protecting " + range, result);
        }
    }

    private static void set(MemorySegment to, AddressRange range) {
        UffdioRange.START.set(to, range.start());
        UffdioRange.LEN.set(to, range.length());
    }

    @Override
    Collected report(AddressRange range, DirtyBitmap into) {
        PagemapFd fd = new PagemapFd(libc, pagemap);
        long end = range.last() + 1;
        long at = range.start();
        while (at != end) {
            PmScanArg.START.set(scan, at);
            PmScanArg.END.set(scan, end);
            int found = fd.scan(scan);
            if (found < 0 && !Errno.EINTR.is(found)) {
                return everything(range, "PAGEMAP_SCAN", found);
            }
            for (long i = 0; i < found; i++) {
                MemorySegment region = regions.asSlice(i * PageRegion.STRUCT.size(), PageRegion.STRUCT.size());
                long start = PageRegion.START.get(region);
                into.mark(new AddressRange(start, PageRegion.END.get(region) - start));
            }
            long walked = found < 0 ? at : PmScanArg.WALK_END.get(scan);
            if (found >= 0 && walked == at) {
                // Such as a part of a huge page of hugetlbfs, which cannot be protected by itself.
                return new Collected(capability().source() + ": PAGEMAP_SCAN does not get on at 0x"
                        + Long.toHexString(at) + ", which may be a part of a huge page: everything in " + range
                        + " counts as dirty");
            }
            at = walked;
        }
        return Collected.REPORTED;
    }

    /** Closing the userfaultfd ends all that was registered with it. */
    @Override
    int end() {
        int result = 0;
        if (userfaultfd >= 0) {
            result = libc.close(userfaultfd);
        }
        if (pagemap >= 0) {
            libc.close(pagemap);
        }
        userfaultfd = NO_FD;
        pagemap = NO_FD;
        return result;
    }
}
