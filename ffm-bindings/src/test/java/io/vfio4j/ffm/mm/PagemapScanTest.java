// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Asynchronous write protection of real memory: exactly what was written is reported. Needs Linux 6.7. */
class PagemapScanTest {
    private static final long PAGE = 4096;
    private static final int PAGES = 64;
    private static final long FEATURES = Userfaultfd.UFFD_FEATURE_WP_ASYNC
            | Userfaultfd.UFFD_FEATURE_WP_UNPOPULATED
            | Userfaultfd.UFFD_FEATURE_WP_HUGETLBFS_SHMEM;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofConfined();
    private final List<Integer> opened = new ArrayList<>();

    private UserfaultFd userfaultfd = new UserfaultFd(libc, -1);
    private PagemapFd pagemap = new PagemapFd(libc, -1);

    @BeforeEach
    void open() {
        int fd = libc.userfaultfd(LibC.O_CLOEXEC | Userfaultfd.UFFD_USER_MODE_ONLY);
        assumeTrue(fd >= 0, () -> "userfaultfd: " + Errno.describe(fd));
        userfaultfd = new UserfaultFd(libc, own(fd));
        MemorySegment api = UffdioApi.STRUCT.allocate(arena);
        UffdioApi.API.set(api, Userfaultfd.UFFD_API);
        UffdioApi.FEATURES.set(api, FEATURES);
        int agreed = userfaultfd.api(api);
        assumeTrue(agreed == 0, () -> "UFFDIO_API without UFFD_FEATURE_WP_ASYNC: " + Errno.describe(agreed));
        pagemap = new PagemapFd(libc, own(libc.open(PagemapFd.PATH, LibC.O_RDONLY | LibC.O_CLOEXEC)));
    }

    @AfterEach
    void closeAll() {
        opened.forEach(libc::close);
        arena.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldReportExactlyThePagesThatWereWritten(boolean shared) {
        MemorySegment memory = register(memory(shared));
        assertThat(scan(memory, PAGES)).as("all that was never protected").containsExactly("0-64");
        assertThat(scan(memory, PAGES)).isEmpty();

        write(memory, 3, 4, 17, 63);
        assertThat(memory.get(JAVA_BYTE, 20 * PAGE)).as("reading is no writing").isZero();
        assertThat(scan(memory, PAGES)).containsExactly("3-5", "17-18", "63-64");
        assertThat(scan(memory, PAGES)).as("they are protected again").isEmpty();

        write(memory, 17);
        assertThat(scan(memory, PAGES)).containsExactly("17-18");
    }

    @Test
    void shouldReportThePagesThatTheKernelHasWritten() {
        MemorySegment memory = register(memory(false));
        scan(memory, PAGES);
        int file = own(libc.memfdCreate("pagemap-scan-test", LibC.MFD_CLOEXEC));
        assertThat(libc.ftruncate(file, PAGE)).isZero();
        assertThat(libc.pread(file, memory, 20 * PAGE + 100, PAGE, 0)).isEqualTo(PAGE);
        assertThat(scan(memory, PAGES)).containsExactly("20-22");
    }

    @Test
    void shouldGoOnWhereTheScanStoppedWhenTheArrayIsFull() {
        MemorySegment memory = register(memory(false));
        scan(memory, PAGES);
        write(memory, 3, 4, 17, 63);
        assertThat(scan(memory, 1)).containsExactly("3-5", "17-18", "63-64");
        assertThat(scan(memory, 1)).isEmpty();
    }

    @Test
    void shouldReportPagesThatWereDropped() {
        MemorySegment memory = register(memory(false));
        write(memory, 8, 9);
        scan(memory, PAGES);
        int dontneed = 4;
        assertThat(libc.madvise(memory.address() + 8 * PAGE, PAGE, dontneed)).isZero();
        assertThat(scan(memory, PAGES)).containsExactly("8-9");
    }

    @Test
    void shouldReportPagesWhoseProtectionWasLifted() {
        MemorySegment memory = register(memory(false));
        assertThat(writeprotect(memory, Userfaultfd.UFFDIO_WRITEPROTECT_MODE_WP))
                .isZero();
        assertThat(scan(memory, PAGES)).isEmpty();
        assertThat(writeprotect(memory.asSlice(7 * PAGE, 2 * PAGE), 0)).isZero();
        assertThat(scan(memory, PAGES)).containsExactly("7-9");
    }

    @Test
    void shouldRefuseMemoryThatIsNotRegistered() {
        MemorySegment memory = memory(false);
        assertThat(pagemap.scan(request(memory, arena.allocate(PageRegion.STRUCT.size(), 8), 1)))
                .isEqualTo(Errno.EPERM.negated());
        register(memory);
        assertThat(scan(memory, PAGES)).containsExactly("0-64");
        MemorySegment range = UffdioRange.STRUCT.allocate(arena);
        UffdioRange.START.set(range, memory.address());
        UffdioRange.LEN.set(range, memory.byteSize());
        assertThat(userfaultfd.unregister(range)).isZero();
        assertThat(pagemap.scan(request(memory, arena.allocate(PageRegion.STRUCT.size(), 8), 1)))
                .isEqualTo(Errno.EPERM.negated());
    }

    private MemorySegment memory(boolean shared) {
        long length = PAGES * PAGE;
        if (!shared) {
            return MappedMemory.map(libc, length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        }
        int file = own(libc.memfdCreate("pagemap-scan-test", LibC.MFD_CLOEXEC));
        assertThat(libc.ftruncate(file, length)).isZero();
        return MappedMemory.map(libc, length, LibC.MAP_SHARED, file, arena);
    }

    private MemorySegment register(MemorySegment memory) {
        MemorySegment register = UffdioRegister.STRUCT.allocate(arena);
        MemorySegment range = UffdioRegister.RANGE.of(register);
        UffdioRange.START.set(range, memory.address());
        UffdioRange.LEN.set(range, memory.byteSize());
        UffdioRegister.MODE.set(register, Userfaultfd.UFFDIO_REGISTER_MODE_WP);
        assertThat(userfaultfd.register(register)).isZero();
        return memory;
    }

    private int writeprotect(MemorySegment memory, int mode) {
        MemorySegment writeprotect = UffdioWriteprotect.STRUCT.allocate(arena);
        MemorySegment range = UffdioWriteprotect.RANGE.of(writeprotect);
        UffdioRange.START.set(range, memory.address());
        UffdioRange.LEN.set(range, memory.byteSize());
        UffdioWriteprotect.MODE.set(writeprotect, mode);
        return userfaultfd.writeprotect(writeprotect);
    }

    /** Reads and protects what was written, as runs of pages "from-to", with an array of so many elements. */
    private List<String> scan(MemorySegment memory, int elements) {
        MemorySegment regions = arena.allocate(elements * PageRegion.STRUCT.size(), PageRegion.STRUCT.alignment());
        MemorySegment scan = request(memory, regions, elements);
        List<String> runs = new ArrayList<>();
        while (PmScanArg.START.get(scan) < PmScanArg.END.get(scan)) {
            int found = pagemap.scan(scan);
            assertThat(found).isBetween(0, elements);
            for (int i = 0; i < found; i++) {
                MemorySegment region = regions.asSlice(i * PageRegion.STRUCT.size());
                assertThat(PageRegion.CATEGORIES.get(region)).isEqualTo(Pagemap.PAGE_IS_WRITTEN);
                runs.add((PageRegion.START.get(region) - memory.address()) / PAGE + "-"
                        + (PageRegion.END.get(region) - memory.address()) / PAGE);
            }
            PmScanArg.START.set(scan, PmScanArg.WALK_END.get(scan));
        }
        return runs;
    }

    private MemorySegment request(MemorySegment memory, MemorySegment regions, int elements) {
        MemorySegment scan = PmScanArg.STRUCT.allocate(arena);
        PmScanArg.SIZE.set(scan, PmScanArg.STRUCT.size());
        PmScanArg.FLAGS.set(scan, Pagemap.PM_SCAN_WP_MATCHING | Pagemap.PM_SCAN_CHECK_WPASYNC);
        PmScanArg.START.set(scan, memory.address());
        PmScanArg.END.set(scan, memory.address() + memory.byteSize());
        PmScanArg.VEC.set(scan, regions.address());
        PmScanArg.VEC_LEN.set(scan, elements);
        PmScanArg.CATEGORY_MASK.set(scan, Pagemap.PAGE_IS_WRITTEN);
        PmScanArg.RETURN_MASK.set(scan, Pagemap.PAGE_IS_WRITTEN);
        return scan;
    }

    private static void write(MemorySegment memory, int... pages) {
        for (int page : pages) {
            memory.set(JAVA_BYTE, page * PAGE + 7, (byte) 1);
        }
    }

    private int own(int fd) {
        assertThat(fd).isNotNegative();
        opened.add(fd);
        return fd;
    }
}
