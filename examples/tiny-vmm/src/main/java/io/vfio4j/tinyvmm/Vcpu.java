// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.MappedMemory;
import io.vfio4j.ffm.kvm.Kvm;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.KvmRegs;
import io.vfio4j.ffm.kvm.KvmRun;
import io.vfio4j.ffm.kvm.KvmRunIo;
import io.vfio4j.ffm.kvm.KvmSegment;
import io.vfio4j.ffm.kvm.KvmSregs;
import io.vfio4j.ffm.kvm.VcpuFd;
import io.vfio4j.migration.handler.FieldReader;
import io.vfio4j.migration.handler.FieldWriter;
import io.vfio4j.migration.handler.SmallState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A virtual CPU and the thread that it runs on. It begins stopped.
 *
 * <p>A guest may stay in {@code KVM_RUN} for as long as it likes. What takes it out is a <em>kick</em>: first
 * {@code kvm_run.immediate_exit}, for a thread that is about to enter, then a signal, for one that is inside; with both
 * none can be missed. {@code KVM_RUN} then returns {@code EINTR}, and only there is the CPU's state whole: an access to
 * a port ends when the thread has entered once more.
 *
 * <p>{@link #stop}, {@link #resume}, {@link #pause} and {@link #close} are for any thread. Its state may be read and
 * set while it is stopped.
 */
final class Vcpu implements SmallState, AutoCloseable {
    /** How long a virtual CPU may take to leave the guest. The kernel needs microseconds. */
    private static final Duration KICK_LIMIT = Duration.ofSeconds(10);

    private static final int SIGNAL = LibC.SIGUSR1;
    private static final int REGS_FIELD = 1;
    private static final int SREGS_FIELD = 2;

    private final LibC libc;
    private final VcpuFd fd;
    private final Uart uart;
    private final IntSupplier ringFull;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment run;

    // Guarded by this object.
    private boolean wanted;
    private boolean running;
    private boolean closing;
    private int threadId;
    private long pausedUntil;
    private @Nullable IOException failure;

    /**
     * Makes a virtual CPU that is stopped at the guest's begin. The fd stays the caller's.
     *
     * @param ringFull what makes room in the CPU's dirty ring: how many pages it took, or {@code -errno}
     */
    Vcpu(KvmFd kvm, VcpuFd fd, long memoryBytes, Uart uart, IntSupplier ringFull) throws IOException {
        this.libc = kvm.libc();
        this.fd = fd;
        this.uart = uart;
        this.ringFull = ringFull;
        reset(memoryBytes);
        require("catching the signal that interrupts a virtual CPU", libc.catchSignal(SIGNAL));
        int size = require("asking how long kvm_run is", kvm.getVcpuMmapSize());
        this.run = MappedMemory.map(libc, size, LibC.MAP_SHARED, fd.fd(), arena);
        Thread.ofPlatform().name("vcpu0").daemon().start(this::runAll);
    }

    /** Returns what a call has returned, unless that is {@code -errno}. */
    static int require(String what, int result) throws IOException {
        if (result < 0) {
            throw new IOException(what + " failed: " + Errno.describe(result));
        }
        return result;
    }

    private void reset(long memoryBytes) throws IOException {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment sregs = KvmSregs.STRUCT.allocate(call);
            require("KVM_GET_SREGS", fd.getSregs(sregs));
            KvmSegment.BASE.set(KvmSregs.CS.of(sregs), 0);
            KvmSegment.SELECTOR.set(KvmSregs.CS.of(sregs), 0);
            KvmSegment.LIMIT.set(KvmSregs.DS.of(sregs), -1);
            KvmSegment.G.set(KvmSregs.DS.of(sregs), 1);
            require("KVM_SET_SREGS", fd.setSregs(sregs));
            MemorySegment regs = KvmRegs.STRUCT.allocate(call);
            KvmRegs.RIP.set(regs, GuestProgram.CODE);
            KvmRegs.RFLAGS.set(regs, 2);
            KvmRegs.RSI.set(regs, GuestProgram.FIRST_COUNTER);
            KvmRegs.RDI.set(regs, memoryBytes);
            KvmRegs.RDX.set(regs, Uart.TRANSMIT);
            require("KVM_SET_REGS", fd.setRegs(regs));
        }
    }

    /** Lets it run, unless it has failed. */
    synchronized void resume() throws IOException {
        requireGood();
        wanted = true;
        notifyAll();
    }

    /** Stops it, and waits until its state is whole. If it does not stop in time it may be resumed all the same. */
    synchronized void stop() throws IOException {
        wanted = false;
        awaitOutside();
        requireGood();
    }

    /** Keeps it from running for so many nanoseconds from now on: what throttles it. */
    synchronized void pause(long nanos) throws IOException {
        pausedUntil = System.nanoTime() + nanos;
        kick();
    }

    /** Throws what it has failed by, if it has. */
    synchronized void requireGood() throws IOException {
        IOException why = failure;
        if (why != null) {
            throw new IOException(why.getMessage(), why);
        }
    }

    /** Returns where the guest, which is stopped, is in its pass: the page that it adds to now. */
    long position() throws IOException {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment regs = KvmRegs.STRUCT.allocate(call);
            require("KVM_GET_REGS", fd.getRegs(regs));
            return KvmRegs.RSI.get(regs);
        }
    }

    private void kick() throws IOException {
        KvmRun.IMMEDIATE_EXIT.set(run, 1);
        if (running) {
            int processId = (int) ProcessHandle.current().pid();
            require("interrupting the virtual CPU", libc.tgkill(processId, threadId, SIGNAL));
        }
    }

    private void awaitOutside() throws IOException {
        long end = System.nanoTime() + KICK_LIMIT.toNanos();
        kick();
        while (running) {
            long left = end - System.nanoTime();
            if (left <= 0) {
                throw new IOException("the virtual CPU did not leave KVM_RUN within " + KICK_LIMIT.toSeconds() + " s");
            }
            await(left);
        }
    }

    private void await(long nanos) throws IOException {
        try {
            TimeUnit.NANOSECONDS.timedWait(this, Math.max(nanos, 1_000_000));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for the virtual CPU", e);
        }
    }

    /** The thread: runs the CPU whenever that is wanted, until it is closed or fails. */
    private void runAll() {
        try {
            // It is PID/task/TID.
            Path self = Files.readSymbolicLink(Path.of("/proc/thread-self"));
            synchronized (this) {
                threadId = Integer.parseInt(self.getName(2).toString());
            }
            while (awaitWanted()) {
                runUntilKicked();
            }
        } catch (IOException | RuntimeException e) {
            synchronized (this) {
                failure = e instanceof IOException io ? io : new IOException("the virtual CPU: unexpected: " + e, e);
                running = false;
                notifyAll();
            }
        }
    }

    /** Waits outside of KVM_RUN. Returns false when it is to end. */
    private synchronized boolean awaitWanted() throws IOException {
        running = false;
        notifyAll();
        while (!closing) {
            long pause = pausedUntil - System.nanoTime();
            if (wanted && pause <= 0) {
                KvmRun.IMMEDIATE_EXIT.set(run, 0);
                running = true;
                return true;
            }
            await(wanted ? pause : TimeUnit.HOURS.toNanos(1));
        }
        return false;
    }

    private void runUntilKicked() throws IOException {
        while (true) {
            int result = fd.run();
            if (Errno.EINTR.is(result)) {
                return;
            }
            require("KVM_RUN", result);
            switch (KvmRun.EXIT_REASON.get(run)) {
                case Kvm.KVM_EXIT_IO -> accessPort(KvmRun.IO.of(run));
                case Kvm.KVM_EXIT_DIRTY_RING_FULL -> require("emptying the dirty ring", ringFull.getAsInt());
                default ->
                    throw new IOException("the guest cannot go on: KVM_RUN was left for reason "
                            + KvmRun.EXIT_REASON.get(run) + " (see KVM_EXIT_* in linux/kvm.h)");
            }
        }
    }

    private void accessPort(MemorySegment io) throws IOException {
        if (KvmRunIo.PORT.get(io) != Uart.TRANSMIT
                || KvmRunIo.DIRECTION.get(io) != Kvm.KVM_EXIT_IO_OUT
                || KvmRunIo.SIZE.get(io) != 1) {
            throw new IOException("the guest accesses port 0x" + Integer.toHexString(KvmRunIo.PORT.get(io))
                    + " in a way that nothing answers");
        }
        for (int i = 0; i < KvmRunIo.COUNT.get(io); i++) {
            uart.write(run.get(JAVA_BYTE, KvmRunIo.DATA_OFFSET.get(io) + i));
        }
    }

    @Override
    public String name() {
        return "vcpu0";
    }

    @Override
    public int version() {
        return 1;
    }

    /** Writes the registers: all that this guest uses. docs/embedding.md lists what others need beside them. */
    @Override
    public void save(FieldWriter out) throws IOException {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment regs = KvmRegs.STRUCT.allocate(call);
            MemorySegment sregs = KvmSregs.STRUCT.allocate(call);
            require("KVM_GET_REGS", fd.getRegs(regs));
            require("KVM_GET_SREGS", fd.getSregs(sregs));
            out.required(REGS_FIELD, regs).required(SREGS_FIELD, sregs);
        }
    }

    @Override
    public Loaded load(FieldReader in) throws IOException {
        MemorySegment regs = KvmRegs.STRUCT.allocate(Arena.ofAuto());
        MemorySegment sregs = KvmSregs.STRUCT.allocate(Arena.ofAuto());
        in.memory(REGS_FIELD, regs);
        in.memory(SREGS_FIELD, sregs);
        return () -> {
            require("KVM_SET_SREGS", fd.setSregs(sregs));
            require("KVM_SET_REGS", fd.setRegs(regs));
        };
    }

    /** Ends the thread. If that does not leave {@code KVM_RUN} what it uses is not given back. */
    @Override
    public synchronized void close() throws IOException {
        closing = true;
        notifyAll();
        awaitOutside();
        arena.close();
    }
}
