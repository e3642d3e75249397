// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.kvm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A guest in real mode writes known pages, and KVM tells which. Needs {@code /dev/kvm}. */
@Tag("kvm")
class KvmTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 256;
    private static final int CODE = 1;
    private static final int SLOT = 3;
    private static final int RING_BYTES = 65_536;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofConfined();
    private final List<Integer> opened = new ArrayList<>();

    private KvmFd kvm = new KvmFd(libc, -1);
    private VmFd vm = new VmFd(libc, -1);
    private MemorySegment memory = MemorySegment.NULL;

    @BeforeEach
    void makeVm() {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "the guest is one for x86-64");
        int fd = libc.open(KvmFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        assumeTrue(fd >= 0, () -> KvmFd.PATH + ": " + Errno.describe(fd));
        kvm = new KvmFd(libc, own(fd));
        assertThat(kvm.getApiVersion()).isEqualTo(Kvm.KVM_API_VERSION);
        vm = new VmFd(libc, own(kvm.createVm(0)));
        assertThat(vm.setTssAddr(0xfffb_d000L)).isZero();
        memory = MappedMemory.map(libc, (long) PAGES * PAGE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        assertThat(vm.checkExtension(Kvm.KVM_CAP_USER_MEMORY)).isPositive();
    }

    @AfterEach
    void closeAll() {
        for (int fd : opened.reversed()) {
            assertThat(libc.close(fd)).isZero();
        }
        arena.close();
    }

    @Test
    void shouldLogExactlyThePagesThatTheGuestWrites() {
        Vcpu vcpu = loggedVcpu();
        vcpu.write(5, 64, 200);
        assertThat(dirtyLog()).isEqualTo(pages(5, 64, 200));
        assertThat(dirtyLog()).as("reading has cleared it").isEqualTo(pages());
        vcpu.write(5);
        memory.set(JAVA_BYTE, 7L * PAGE, (byte) 1);
        assertThat(dirtyLog()).as("what this process writes is not seen").isEqualTo(pages(5));
    }

    @Test
    void shouldKeepDirtyBitsUntilTheyAreClearedWhenProtectionIsManual() {
        assumeTrue(
                (vm.checkExtension(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) & Kvm.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
                        != 0,
                "KVM has no KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
        assertThat(enable(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, Kvm.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
                .isZero();
        Vcpu vcpu = loggedVcpu();
        vcpu.write(5, 70, 200);
        assertThat(dirtyLog()).isEqualTo(pages(5, 70, 200));
        assertThat(dirtyLog()).isEqualTo(pages(5, 70, 200));

        assertThat(clear(64, 64, pages(70))).isZero();
        assertThat(dirtyLog()).isEqualTo(pages(5, 200));
        vcpu.write(70);
        assertThat(dirtyLog()).isEqualTo(pages(5, 70, 200));
        assertThat(clear(32, 64, pages(70))).isEqualTo(Errno.EINVAL.negated());
        assertThat(clear(64, 32, pages(70))).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldBeginWithAllPagesDirtyWhenAskedTo() {
        int flags = Kvm.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | Kvm.KVM_DIRTY_LOG_INITIALLY_SET;
        assumeTrue(
                vm.checkExtension(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) == flags,
                "KVM has no KVM_DIRTY_LOG_INITIALLY_SET");
        assertThat(enable(Kvm.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, flags)).isZero();
        Vcpu vcpu = loggedVcpu();
        assertThat(dirtyLog().cardinality()).isEqualTo(PAGES);
        assertThat(clear(0, PAGES, dirtyLog())).isZero();
        assertThat(dirtyLog()).isEqualTo(pages());
        vcpu.write(9);
        assertThat(dirtyLog()).isEqualTo(pages(9));
    }

    @Test
    void shouldPushThePagesThatTheGuestWritesToItsDirtyRing() {
        assumeTrue(
                vm.checkExtension(Kvm.KVM_CAP_DIRTY_LOG_RING) >= RING_BYTES, "KVM has no KVM_CAP_DIRTY_LOG_RING here");
        assertThat(enable(Kvm.KVM_CAP_DIRTY_LOG_RING, RING_BYTES)).isZero();
        Vcpu vcpu = loggedVcpu();
        MemorySegment ring = MappedMemory.map(
                libc, RING_BYTES, LibC.MAP_SHARED, vcpu.fd.fd(), (long) Kvm.KVM_DIRTY_LOG_PAGE_OFFSET * PAGE, arena);
        vcpu.write(5, 64, 200);
        assertThat(harvest(ring, 0)).containsExactly(5L, 64L, 200L);
        assertThat(vm.resetDirtyRings()).isEqualTo(3);
        vcpu.write(64, 6);
        assertThat(harvest(ring, 3)).containsExactly(64L, 6L);
        assertThat(vm.resetDirtyRings()).isEqualTo(2);
        assertThat(harvest(ring, 5)).isEmpty();
        MemorySegment log = KvmDirtyLog.STRUCT.allocate(arena);
        KvmDirtyLog.SLOT.set(log, SLOT);
        KvmDirtyLog.DIRTY_BITMAP.set(log, arena.allocate(PAGES / 8).address());
        assertThat(vm.getDirtyLog(log))
                .as("a ring and a log exclude each other")
                .isEqualTo(Errno.ENXIO.negated());
    }

    @Test
    void shouldTellThePortThatTheGuestWrites() {
        addMemory(0);
        Vcpu vcpu = new Vcpu();
        // mov al, 'x'; out 0x42, al; hlt
        vcpu.start(new byte[] {(byte) 0xb0, 'x', (byte) 0xe6, 0x42, (byte) 0xf4});
        assertThat(KvmRun.EXIT_REASON.get(vcpu.run)).isEqualTo(Kvm.KVM_EXIT_IO);
        MemorySegment io = KvmRun.IO.of(vcpu.run);
        assertThat(KvmRunIo.DIRECTION.get(io)).isEqualTo(Kvm.KVM_EXIT_IO_OUT);
        assertThat(KvmRunIo.PORT.get(io)).isEqualTo(0x42);
        assertThat(KvmRunIo.SIZE.get(io)).isEqualTo(1);
        assertThat(KvmRunIo.COUNT.get(io)).isEqualTo(1);
        assertThat(vcpu.run.get(JAVA_BYTE, KvmRunIo.DATA_OFFSET.get(io))).isEqualTo((byte) 'x');
        assertThat(vcpu.fd.run()).isZero();
        assertThat(KvmRun.EXIT_REASON.get(vcpu.run)).isEqualTo(Kvm.KVM_EXIT_HLT);
    }

    @Test
    void shouldTellTheAddressWithoutMemoryThatTheGuestWrites() {
        addMemory(0);
        Vcpu vcpu = new Vcpu();
        // mov ax, 0xffff; mov ds, ax; mov byte [0x10], 'y': the first byte behind the memory; hlt
        vcpu.start(new byte[] {
            (byte) 0xb8, -1, -1, (byte) 0x8e, (byte) 0xd8, (byte) 0xc6, 0x06, 0x10, 0x00, 'y', (byte) 0xf4
        });
        assertThat(KvmRun.EXIT_REASON.get(vcpu.run)).isEqualTo(Kvm.KVM_EXIT_MMIO);
        MemorySegment mmio = KvmRun.MMIO.of(vcpu.run);
        assertThat(KvmRunMmio.PHYS_ADDR.get(mmio)).isEqualTo((long) PAGES * PAGE);
        assertThat(KvmRunMmio.IS_WRITE.get(mmio)).isEqualTo(1);
        assertThat(KvmRunMmio.LEN.get(mmio)).isEqualTo(1);
        assertThat(KvmRunMmio.DATA.of(mmio).get(JAVA_BYTE, 0)).isEqualTo((byte) 'y');
    }

    @Test
    void shouldLeaveAtOnceWhenAskedTo() {
        assumeTrue(vm.checkExtension(Kvm.KVM_CAP_IMMEDIATE_EXIT) > 0, "KVM has no KVM_CAP_IMMEDIATE_EXIT");
        addMemory(0);
        Vcpu vcpu = new Vcpu();
        KvmRun.IMMEDIATE_EXIT.set(vcpu.run, 1);
        assertThat(vcpu.fd.run()).isEqualTo(Errno.EINTR.negated());
    }

    /**
     * Begins to log when the CPU has fetched from the page of its code once: what is mapped anew counts as dirty, even
     * if it is only read, where the guest's pages are mapped by the processor's nested page table.
     */
    private Vcpu loggedVcpu() {
        addMemory(0);
        Vcpu vcpu = new Vcpu();
        vcpu.write();
        addMemory(Kvm.KVM_MEM_LOG_DIRTY_PAGES);
        return vcpu;
    }

    private void addMemory(int flags) {
        if (vm.checkExtension(Kvm.KVM_CAP_USER_MEMORY2) > 0) {
            MemorySegment region = KvmUserspaceMemoryRegion2.STRUCT.allocate(arena);
            KvmUserspaceMemoryRegion2.SLOT.set(region, SLOT);
            KvmUserspaceMemoryRegion2.MEMORY_SIZE.set(region, memory.byteSize());
            KvmUserspaceMemoryRegion2.USERSPACE_ADDR.set(region, memory.address());
            assertThat(vm.setUserMemoryRegion2(region)).isZero();
        }
        MemorySegment region = KvmUserspaceMemoryRegion.STRUCT.allocate(arena);
        KvmUserspaceMemoryRegion.SLOT.set(region, SLOT);
        KvmUserspaceMemoryRegion.FLAGS.set(region, flags);
        KvmUserspaceMemoryRegion.MEMORY_SIZE.set(region, memory.byteSize());
        KvmUserspaceMemoryRegion.USERSPACE_ADDR.set(region, memory.address());
        assertThat(vm.setUserMemoryRegion(region)).isZero();
    }

    private int enable(int capability, long argument) {
        MemorySegment cap = KvmEnableCap.STRUCT.allocate(arena);
        KvmEnableCap.CAP.set(cap, capability);
        KvmEnableCap.ARGS.of(cap).set(JAVA_LONG, 0, argument);
        return vm.enableCap(cap);
    }

    private BitSet dirtyLog() {
        MemorySegment bitmap = arena.allocate(PAGES / 8, Long.BYTES);
        MemorySegment log = KvmDirtyLog.STRUCT.allocate(arena);
        KvmDirtyLog.SLOT.set(log, SLOT);
        KvmDirtyLog.DIRTY_BITMAP.set(log, bitmap.address());
        assertThat(vm.getDirtyLog(log)).isZero();
        return BitSet.valueOf(bitmap.toArray(JAVA_LONG));
    }

    private int clear(int firstPage, int count, BitSet pages) {
        MemorySegment bitmap = arena.allocate(PAGES / 8, Long.BYTES);
        pages.stream().forEach(page -> {
            int bit = page - firstPage;
            bitmap.set(JAVA_BYTE, bit / 8, (byte) (bitmap.get(JAVA_BYTE, bit / 8) | 1 << bit % 8));
        });
        MemorySegment clear = KvmClearDirtyLog.STRUCT.allocate(arena);
        KvmClearDirtyLog.SLOT.set(clear, SLOT);
        KvmClearDirtyLog.FIRST_PAGE.set(clear, firstPage);
        KvmClearDirtyLog.NUM_PAGES.set(clear, count);
        KvmClearDirtyLog.DIRTY_BITMAP.set(clear, bitmap.address());
        return vm.clearDirtyLog(clear);
    }

    /** Takes what is filled from a position on, in the kernel's order, and marks it as harvested. */
    private static List<Long> harvest(MemorySegment ring, int position) {
        List<Long> offsets = new ArrayList<>();
        for (int i = position; ; i++) {
            MemorySegment gfn = ring.asSlice(i * KvmDirtyGfn.STRUCT.size(), KvmDirtyGfn.STRUCT.size());
            if (KvmDirtyGfn.FLAGS.getAcquire(gfn) != Kvm.KVM_DIRTY_GFN_F_DIRTY) {
                return offsets;
            }
            assertThat(KvmDirtyGfn.SLOT.get(gfn)).isEqualTo(SLOT);
            offsets.add(KvmDirtyGfn.OFFSET.get(gfn));
            KvmDirtyGfn.FLAGS.setRelease(gfn, Kvm.KVM_DIRTY_GFN_F_RESET);
        }
    }

    private static BitSet pages(int... pages) {
        BitSet set = new BitSet();
        for (int page : pages) {
            set.set(page);
        }
        return set;
    }

    private int own(int fd) {
        assertThat(fd).isNotNegative();
        opened.add(fd);
        return fd;
    }

    private final class Vcpu {
        final VcpuFd fd = new VcpuFd(libc, own(vm.createVcpu(0)));
        final MemorySegment run = MappedMemory.map(libc, kvm.getVcpuMmapSize(), LibC.MAP_SHARED, fd.fd(), arena);

        /** Has the guest write one byte of each page, in order. */
        void write(int... pages) {
            ByteArrayOutputStream code = new ByteArrayOutputStream();
            for (int page : pages) {
                // mov ax, page << 8; mov ds, ax; mov byte [0], 0x5a
                code.writeBytes(
                        new byte[] {(byte) 0xb8, 0, (byte) page, (byte) 0x8e, (byte) 0xd8, (byte) 0xc6, 0x06, 0, 0, 0x5a
                        });
            }
            code.write(0xf4); // hlt
            start(code.toByteArray());
            assertThat(KvmRun.EXIT_REASON.get(run)).isEqualTo(Kvm.KVM_EXIT_HLT);
            for (int page : pages) {
                assertThat(memory.get(JAVA_BYTE, (long) page * PAGE)).isEqualTo((byte) 0x5a);
            }
        }

        void start(byte[] code) {
            MemorySegment.copy(code, 0, memory, JAVA_BYTE, CODE * PAGE, code.length);
            MemorySegment sregs = KvmSregs.STRUCT.allocate(arena);
            assertThat(fd.getSregs(sregs)).isZero();
            KvmSegment.BASE.set(KvmSregs.CS.of(sregs), 0);
            KvmSegment.SELECTOR.set(KvmSregs.CS.of(sregs), 0);
            assertThat(fd.setSregs(sregs)).isZero();
            MemorySegment regs = KvmRegs.STRUCT.allocate(arena);
            KvmRegs.RIP.set(regs, CODE * PAGE);
            KvmRegs.RFLAGS.set(regs, 2);
            assertThat(fd.setRegs(regs)).isZero();
            assertThat(fd.run()).isZero();
            assertThat(fd.getRegs(regs)).isZero();
            assertThat(KvmRegs.RIP.get(regs)).isBetween((long) CODE * PAGE, (long) CODE * PAGE + code.length);
        }
    }
}
