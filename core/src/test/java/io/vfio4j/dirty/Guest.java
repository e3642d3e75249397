// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmDirtyLog;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.KvmRegs;
import io.vfio4j.ffm.kvm.KvmRun;
import io.vfio4j.ffm.kvm.KvmSegment;
import io.vfio4j.ffm.kvm.KvmSregs;
import io.vfio4j.ffm.kvm.KvmUserspaceMemoryRegion;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.ffm.kvm.VmFd;
import io.vfio4j.testing.DirtyPages;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;

/**
 * A virtual machine whose CPUs, in real mode, write known pages: 1 MiB of memory in two slots. Skips the test where KVM
 * is missing.
 */
final class Guest implements AutoCloseable {
    static final int PAGES = 256;
    static final GuestSlotNumbers LOW = new GuestSlotNumbers(3, 0, 100);
    static final GuestSlotNumbers HIGH = new GuestSlotNumbers(7, 100, 156);
    static final AddressRange ALL = DirtyPages.pages(0, 0, PAGES);

    /** The pages that hold the programs of the CPUs; nobody writes them from within. */
    private static final int FIRST_CODE = 1;

    private static final int PAGE = 4096;
    private static final long TSS = 0xfffb_d000L;
    private static final byte HLT = (byte) 0xf4;

    /**
     * A KVM that emulates real mode looks at a full ring only when a CPU enters; less than it keeps back in a ring,
     * then.
     */
    private static final int PAGES_PER_HALT = 32;

    /** A slot by its pages. */
    record GuestSlotNumbers(int slot, int firstPage, int pages) {}

    private final LibC libc;
    private final Arena arena = Arena.ofShared();
    private final List<Integer> opened = new ArrayList<>();
    private final KvmFd kvm;
    private final List<Vcpu> vcpus = new ArrayList<>();

    final VmFd vm;

    /** All of the guest's memory, as this process sees it. */
    final MemorySegment memory;

    Guest(LibC libc) {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "/dev/kvm: the guest is one for x86-64");
        this.libc = libc;
        int fd = libc.open(KvmFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        assumeTrue(fd >= 0, () -> KvmFd.PATH + " is missing: " + Errno.describe(fd));
        kvm = new KvmFd(libc, own(fd));
        vm = new VmFd(libc, own(kvm.createVm(0)));
        assertThat(vm.setTssAddr(TSS)).isZero();
        memory = MappedMemory.map(libc, (long) PAGES * PAGE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
        for (GuestSlot slot : slots()) {
            assertThat(set(slot)).isZero();
        }
    }

    /** The slots, as they are set. */
    List<GuestSlot> slots() {
        return List.of(slot(LOW), slot(HIGH));
    }

    GuestSlot slot(GuestSlotNumbers numbers) {
        AddressRange guest = DirtyPages.pages(0, numbers.firstPage, numbers.pages);
        return new GuestSlot(numbers.slot, 0, guest, memory.address() + guest.start());
    }

    /** Sets a slot, without a log. */
    int set(GuestSlot slot) {
        return slot.setLogging(vm, false);
    }

    /** Takes a slot away. */
    void remove(GuestSlotNumbers numbers) {
        MemorySegment region = KvmUserspaceMemoryRegion.STRUCT.allocate(arena);
        KvmUserspaceMemoryRegion.SLOT.set(region, numbers.slot);
        assertThat(vm.setUserMemoryRegion(region)).isZero();
    }

    /** What KVM says when a slot's log is read past the trackers: 0, or {@code -ENOENT} where it is not logged. */
    int readLog(GuestSlotNumbers numbers) {
        MemorySegment log = KvmDirtyLog.STRUCT.allocate(arena);
        KvmDirtyLog.SLOT.set(log, numbers.slot);
        KvmDirtyLog.DIRTY_BITMAP.set(log, arena.allocate(PAGES / 8, 8).address());
        return vm.getDirtyLog(log);
    }

    Vcpu addVcpu() {
        Vcpu vcpu = new Vcpu(vcpus.size());
        vcpus.add(vcpu);
        return vcpu;
    }

    List<VcpuFd> vcpuFds() {
        return vcpus.stream().map(vcpu -> vcpu.fd).toList();
    }

    private int own(int fd) {
        assertThat(fd).as(() -> Errno.describe(fd)).isNotNegative();
        opened.add(fd);
        return fd;
    }

    @Override
    public void close() {
        opened.reversed().forEach(libc::close);
        arena.close();
    }

    /** A virtual CPU, driven by one thread. */
    final class Vcpu {
        final VcpuFd fd;
        private final MemorySegment run;
        private final int code;
        private int halts;

        private Vcpu(int number) {
            code = FIRST_CODE + number;
            fd = new VcpuFd(libc, own(vm.createVcpu(number)));
            run = MappedMemory.map(libc, kvm.getVcpuMmapSize(), LibC.MAP_SHARED, fd.fd(), arena);
            MemorySegment sregs = KvmSregs.STRUCT.allocate(arena);
            assertThat(fd.getSregs(sregs)).isZero();
            KvmSegment.BASE.set(KvmSregs.CS.of(sregs), 0);
            KvmSegment.SELECTOR.set(KvmSregs.CS.of(sregs), 0);
            assertThat(fd.setSregs(sregs)).isZero();
            fetchCode();
        }

        /**
         * Has the page of its code mapped: where the processor has nested page tables, what is mapped anew counts as
         * dirty, even if it is only fetched from.
         */
        private void fetchCode() {
            memory.set(JAVA_BYTE, (long) code * PAGE, HLT);
            halts = 1;
            runWithRoom();
        }

        private void runWithRoom() {
            assertThat(run(() -> {
                        throw new AssertionError("the ring is full");
                    }))
                    .isZero();
        }

        /** Has the guest write to each page, in order; it never leaves before it is done. */
        void write(int... pages) {
            program(pages);
            runWithRoom();
        }

        /** Has the guest write to so many pages from one on. */
        void writeAll(int first, int count) {
            write(IntStream.range(first, first + count).toArray());
        }

        /** Sets the program: it adds 1 to the first word of each page, and halts once in a while and at its end. */
        void program(int... pages) {
            ByteArrayOutputStream program = new ByteArrayOutputStream();
            halts = 0;
            for (int i = 0; i < pages.length; i++) {
                int page = pages[i];
                // mov ax, page << 8; mov ds, ax; inc word [0]
                program.writeBytes(
                        new byte[] {(byte) 0xb8, 0, (byte) page, (byte) 0x8e, (byte) 0xd8, (byte) 0xff, 0x06, 0, 0});
                if (i % PAGES_PER_HALT == PAGES_PER_HALT - 1 || i == pages.length - 1) {
                    program.write(HLT);
                    halts++;
                }
            }
            assertThat(program.size()).isLessThan(PAGE);
            MemorySegment.copy(program.toByteArray(), 0, memory, JAVA_BYTE, (long) code * PAGE, program.size());
        }

        /** Runs the program once; returns how often a full ring stopped it. */
        int run(IntSupplier ringFull) {
            try (Arena call = Arena.ofConfined()) {
                MemorySegment regs = KvmRegs.STRUCT.allocate(call);
                KvmRegs.RIP.set(regs, (long) code * PAGE);
                KvmRegs.RFLAGS.set(regs, 2);
                assertThat(fd.setRegs(regs)).isZero();
            }
            int full = 0;
            int halted = 0;
            while (halted < halts) {
                int result = fd.run();
                if (Errno.EINTR.is(result)) {
                    continue;
                }
                assertThat(result).as(() -> Errno.describe(result)).isZero();
                int reason = KvmRun.EXIT_REASON.get(run);
                if (reason == Kvm.KVM_EXIT_HLT) {
                    halted++;
                } else {
                    assertThat(reason).isEqualTo(Kvm.KVM_EXIT_DIRTY_RING_FULL);
                    full++;
                    // None, where another thread has been faster.
                    assertThat(ringFull.getAsInt()).isNotNegative();
                }
            }
            return full;
        }
    }
}
