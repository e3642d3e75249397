// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.GuestSlot;
import io.vfio4j.dirty.KvmLogTracker;
import io.vfio4j.dirty.KvmRingTracker;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.KvmUserspaceMemoryRegion;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.ffm.kvm.VmFd;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.migration.handler.SmallStateHandler;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A virtual machine: memory, one virtual CPU, a serial port, and a VFIO device beside them. It begins stopped.
 *
 * <p>It owns all that it opens. {@link #handlers} is what a migration moves, and as a {@link VirtualMachine} it is what
 * a migration stops, slows down and lets run; those calls come one at a time.
 */
final class Machine implements VirtualMachine, AutoCloseable {
    /** What tells which pages the guest's CPU writes: a bitmap of all of the memory, or a ring for each CPU. */
    enum Tracker {
        LOG,
        RING
    }

    /** Three pages of guest addresses that old Intel processors need in real mode; far behind the memory. */
    private static final long TSS = 0xfffb_d000L;

    private static final int SLOT = 0;
    private static final int RING_BYTES = 1 << 16;

    /** How long a CPU that is slowed down runs at a time, in nanoseconds. */
    private static final long SLICE = 2_000_000;

    /** What a migration moves, by the same names at both sides. */
    final List<StateHandler> handlers;

    final Uart uart;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final Arena arena = Arena.ofShared();
    private final LibC libc;
    private final MemorySegment memory;
    private final Vcpu vcpu;
    private @Nullable KvmRingTracker ring;
    private volatile int throttle;
    private @Nullable Thread throttling;

    /**
     * Makes a machine.
     *
     * @param memoryBytes how much memory the guest has: whole pages, below the 4 GiB that the guest can address
     * @param device its VFIO device: {@code emulated:...}, or the address of a real one
     * @param line where the serial port's bytes go
     * @throws IOException when something that it needs is not there; nothing stays open
     */
    Machine(LibC libc, long memoryBytes, Tracker tracker, String device, OutputStream line) throws IOException {
        this.libc = libc;
        boolean made = false;
        try {
            int kvmFd = own("opening " + KvmFd.PATH, libc.open(KvmFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC));
            KvmFd kvm = new KvmFd(libc, kvmFd);
            VmFd vm = new VmFd(libc, own("making a virtual machine", kvm.createVm(0)));
            Vcpu.require("KVM_SET_TSS_ADDR", vm.setTssAddr(TSS));
            opened.push(arena);
            memory = MappedMemory.map(libc, memoryBytes, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1, arena);
            GuestSlot slot = addMemory(vm);
            if (tracker == Tracker.RING) {
                // Before the first virtual CPU: each gets its ring as it is made.
                KvmRingTracker.enable(vm, RING_BYTES);
            }
            VcpuFd vcpuFd = new VcpuFd(libc, own("making a virtual CPU", vm.createVcpu(0)));
            uart = new Uart(line);
            vcpu = new Vcpu(kvm, vcpuFd, memoryBytes, uart, this::emptyRing);
            opened.push(vcpu);
            // What sees all that writes to the guest's memory: its CPU alone. A monitor whose threads write to it, or
            // whose devices reach it by DMA, joins what sees those by a UnionTracker.
            DirtyTracker dirty = new KvmLogTracker(vm, List.of(slot));
            if (tracker == Tracker.RING) {
                ring = new KvmRingTracker(vm, List.of(vcpuFd), RING_BYTES, List.of(slot));
                dirty = ring;
            }
            opened.push(dirty);
            handlers = List.of(
                    new GuestMemory(List.of(GuestMemory.Region.of("ram", 0, memory)), dirty).handler("ram"),
                    new VfioDeviceHandler("vfio0", open(device)),
                    // Last, so that whatever is put into place at the destination is there before the CPU is.
                    new SmallStateHandler("machine", List.of(uart, vcpu)));
            made = true;
        } finally {
            if (!made) {
                close();
            }
        }
    }

    private int own(String what, int fd) throws IOException {
        Vcpu.require(what, fd);
        opened.push(() -> libc.close(fd));
        return fd;
    }

    private GuestSlot addMemory(VmFd vm) throws IOException {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment region = KvmUserspaceMemoryRegion.STRUCT.allocate(call);
            KvmUserspaceMemoryRegion.SLOT.set(region, SLOT);
            KvmUserspaceMemoryRegion.MEMORY_SIZE.set(region, memory.byteSize());
            KvmUserspaceMemoryRegion.USERSPACE_ADDR.set(region, memory.address());
            Vcpu.require("giving the guest its memory", vm.setUserMemoryRegion(region));
        }
        return new GuestSlot(SLOT, 0, new AddressRange(0, memory.byteSize()), memory.address());
    }

    /** On the virtual CPU's thread, which cannot go on before there is room. */
    private int emptyRing() {
        KvmRingTracker present = ring;
        return present == null ? 0 : present.harvest();
    }

    /** An emulated device stands for a real one: it changes its state while it runs, and has no DMA. */
    private VfioDevice open(String device) throws IOException {
        VfioDevice vfio;
        if (device.startsWith(EmulatedDeviceSpec.PREFIX)) {
            EmulatedKernel kernel = new EmulatedKernel(libc, System::nanoTime);
            opened.push(kernel);
            vfio = kernel.add(EmulatedDeviceSpec.parse(device)).open();
        } else {
            vfio = VfioHost.system().open(DeviceAddress.parse(device));
        }
        opened.push(vfio);
        return vfio;
    }

    /** Puts the guest's program into its memory, which has to be untouched. */
    void boot() {
        GuestProgram.load(memory);
    }

    /** Throws what the guest has failed by, if it has. */
    void requireGood() throws IOException {
        vcpu.requireGood();
    }

    /** Compares the memory of the guest, which is stopped, with what it has to be. */
    void check() throws IOException {
        GuestProgram.check(memory, uart.written(), vcpu.position());
    }

    @Override
    public void prepare() throws IOException {
        requireGood();
    }

    @Override
    public void stop() throws IOException {
        vcpu.stop();
    }

    @Override
    public void resume() throws IOException {
        vcpu.resume();
    }

    /** Lets the CPU run for a slice of time and keeps it from that for its share, by a thread of its own. */
    @Override
    public synchronized void throttle(int percent) {
        throttle = percent;
        if (percent > 0 && throttling == null) {
            throttling = Thread.ofPlatform().name("vcpu-throttle").daemon().start(this::throttleAll);
        } else if (percent == 0 && throttling != null) {
            throttling.interrupt();
            throttling = null;
        }
    }

    private void throttleAll() {
        try {
            for (int percent = throttle; percent > 0; percent = throttle) {
                long pause = SLICE * percent / (100 - percent);
                vcpu.pause(pause);
                Thread.sleep(Duration.ofNanos(pause + SLICE));
            }
        } catch (InterruptedException | IOException e) {
            // Throttling is over, or the CPU has failed, which requireGood() tells.
            return;
        }
    }

    /** Stops the guest and gives everything back, in the order opposite to that in which it was opened. */
    @Override
    public void close() {
        throttle(0);
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                // What could not be given back says so in its own words; the process ends soon.
                System.getLogger(Machine.class.getName()).log(System.Logger.Level.WARNING, "closing the machine", e);
            }
        }
    }
}
