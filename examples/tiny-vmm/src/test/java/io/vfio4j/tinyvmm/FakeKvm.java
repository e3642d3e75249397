// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmDirtyLog;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.KvmRegs;
import io.vfio4j.ffm.kvm.KvmRun;
import io.vfio4j.ffm.kvm.KvmRunIo;
import io.vfio4j.ffm.kvm.KvmSregs;
import io.vfio4j.ffm.kvm.KvmUserspaceMemoryRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A KVM for hosts without one: it runs what {@link GuestProgram} loads, an instruction at a time, and logs what that
 * writes. Its fds are real ones. It knows that one program, one memory slot, and one virtual CPU for each machine.
 */
final class FakeKvm extends ForwardingLibC {
    private static final int RUN_BYTES = 12_288;
    private static final int EXIT_DATA = 4096;

    /** Where the instructions of the program are, from its begin. */
    private static final int INC = 6;

    private static final int ADD = 10;
    private static final int COMPARE = 17;
    private static final int JUMP = 20;
    private static final int COUNT = 22;
    private static final int OUT = 24;
    private static final int AGAIN = 25;

    /** What a machine and its virtual CPU are. */
    private static final class Vm {
        final Arena arena = Arena.ofAuto();
        final MemorySegment regs = KvmRegs.STRUCT.allocate(arena);
        final MemorySegment sregs = KvmSregs.STRUCT.allocate(arena);
        final BitSet dirty = new BitSet();
        MemorySegment memory = MemorySegment.NULL;
        MemorySegment run = MemorySegment.NULL;
        boolean logged;
        boolean accessing;
    }

    private final Map<Integer, Vm> vms = new ConcurrentHashMap<>();

    @Override
    public int open(String path, int flags) {
        return path.equals(KvmFd.PATH) ? memfdCreate("kvm", LibC.MFD_CLOEXEC) : super.open(path, flags);
    }

    @Override
    public int close(int fd) {
        vms.remove(fd);
        return super.close(fd);
    }

    /** A signal that takes a virtual CPU out: here it looks at {@code immediate_exit} all the time. */
    @Override
    public int tgkill(int processId, int threadId, int signal) {
        return 0;
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        Vm vm = vms.get(fd);
        if (request == Kvm.KVM_CREATE_VM) {
            int created = memfdCreate("kvm-vm", LibC.MFD_CLOEXEC);
            vms.put(created, new Vm());
            return created;
        }
        if (request == Kvm.KVM_GET_VCPU_MMAP_SIZE) {
            return RUN_BYTES;
        }
        if (vm == null) {
            return super.ioctl(fd, request, value);
        }
        if (request == Kvm.KVM_CREATE_VCPU) {
            int created = memfdCreate("kvm-vcpu", LibC.MFD_CLOEXEC);
            ftruncate(created, RUN_BYTES);
            vm.run = MappedMemory.map(this, RUN_BYTES, LibC.MAP_SHARED, created, vm.arena);
            vms.put(created, vm);
            return created;
        }
        return request == Kvm.KVM_RUN ? run(vm) : 0;
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        Vm vm = vms.get(fd);
        if (vm == null) {
            return super.ioctl(fd, request, argument);
        }
        synchronized (vm) {
            if (request == Kvm.KVM_SET_USER_MEMORY_REGION) {
                vm.memory = at(
                        KvmUserspaceMemoryRegion.USERSPACE_ADDR.get(argument),
                        KvmUserspaceMemoryRegion.MEMORY_SIZE.get(argument));
                vm.logged = (KvmUserspaceMemoryRegion.FLAGS.get(argument) & Kvm.KVM_MEM_LOG_DIRTY_PAGES) != 0;
                vm.dirty.clear();
            } else if (request == Kvm.KVM_GET_DIRTY_LOG) {
                byte[] bits = vm.dirty.toByteArray();
                MemorySegment.copy(
                        bits, 0, at(KvmDirtyLog.DIRTY_BITMAP.get(argument), bits.length), JAVA_BYTE, 0, bits.length);
                vm.dirty.clear();
            } else if (request == Kvm.KVM_GET_REGS || request == Kvm.KVM_GET_SREGS) {
                argument.copyFrom(request == Kvm.KVM_GET_REGS ? vm.regs : vm.sregs);
            } else if (request == Kvm.KVM_SET_REGS || request == Kvm.KVM_SET_SREGS) {
                (request == Kvm.KVM_SET_REGS ? vm.regs : vm.sregs).copyFrom(argument);
            } else {
                return Errno.EINVAL.negated();
            }
            return 0;
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment at(long address, long length) {
        return MemorySegment.ofAddress(address).reinterpret(length);
    }

    private static int run(Vm vm) {
        while (true) {
            synchronized (vm) {
                if (vm.accessing) {
                    // An access ends when the CPU is entered anew, and not before.
                    vm.accessing = false;
                    KvmRegs.RIP.set(vm.regs, GuestProgram.CODE + AGAIN);
                }
                if (KvmRun.IMMEDIATE_EXIT.get(vm.run) != 0) {
                    return Errno.EINTR.negated();
                }
                if (step(vm)) {
                    return 0;
                }
            }
        }
    }

    /** Runs one instruction. Returns true when it needs the monitor. */
    private static boolean step(Vm vm) {
        int at = (int) (KvmRegs.RIP.get(vm.regs) - GuestProgram.CODE);
        long esi = KvmRegs.RSI.get(vm.regs);
        int next;
        switch (at) {
            case 0 -> {
                KvmRegs.RSI.set(vm.regs, GuestProgram.FIRST_COUNTER);
                next = INC;
            }
            case INC -> {
                vm.memory.set(JAVA_INT, esi, vm.memory.get(JAVA_INT, esi) + 1);
                if (vm.logged) {
                    vm.dirty.set((int) (esi / GuestProgram.PAGE));
                }
                next = ADD;
            }
            case ADD -> {
                KvmRegs.RSI.set(vm.regs, esi + GuestProgram.PAGE);
                next = COMPARE;
            }
            case COMPARE -> next = JUMP;
            case JUMP -> next = esi < KvmRegs.RDI.get(vm.regs) ? INC : COUNT;
            case COUNT -> {
                KvmRegs.RAX.set(vm.regs, KvmRegs.RAX.get(vm.regs) + 1);
                next = OUT;
            }
            case OUT -> {
                MemorySegment io = KvmRun.IO.of(vm.run);
                KvmRun.EXIT_REASON.set(vm.run, Kvm.KVM_EXIT_IO);
                KvmRunIo.DIRECTION.set(io, Kvm.KVM_EXIT_IO_OUT);
                KvmRunIo.SIZE.set(io, 1);
                KvmRunIo.PORT.set(io, (int) KvmRegs.RDX.get(vm.regs));
                KvmRunIo.COUNT.set(io, 1);
                KvmRunIo.DATA_OFFSET.set(io, EXIT_DATA);
                vm.run.set(JAVA_BYTE, EXIT_DATA, (byte) KvmRegs.RAX.get(vm.regs));
                vm.accessing = true;
                return true;
            }
            case AGAIN -> next = 0;
            default -> throw new IllegalStateException("no instruction begins at " + at);
        }
        KvmRegs.RIP.set(vm.regs, GuestProgram.CODE + next);
        return false;
    }
}
