// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The virtual machine as a migration calls it: on a thread of its own. Its monitor is somebody else's code: whatever
 * that throws is a failure of the migration, and no more than that, and it is not waited for longer than a handler is.
 *
 * <p>For the migration's thread.
 */
final class GuardedMachine {
    private static final String SWITCHOVER = "switchover";

    /** The thread, for a crew of one. */
    private record Caller(Worker worker) implements Crew.Member {
        @Override
        public String name() {
            return "the virtual machine";
        }

        @Override
        public String remedy() {
            return "see to it that it does not run beside another one";
        }
    }

    private final VirtualMachine vm;
    private final Execution execution;
    private final MigrationParameters parameters;
    private final BooleanSupplier impatient;
    private @Nullable Crew<Caller> caller;

    /**
     * Makes one without a thread.
     *
     * @param impatient whether the migration has been cancelled, so that nobody wants to wait so long
     */
    GuardedMachine(VirtualMachine vm, Execution execution, MigrationParameters parameters, BooleanSupplier impatient) {
        this.vm = vm;
        this.execution = execution;
        this.parameters = parameters;
        this.impatient = impatient;
    }

    /** One of the calls. */
    @FunctionalInterface
    private interface Call {
        void run() throws IOException;
    }

    /** Starts the thread, if the calls need one and it does not run, so that the next call need not. */
    void open() {
        boolean ended = caller == null
                || caller.members().stream().allMatch(member -> member.worker().hasEnded());
        if (ended && !vm.equals(VirtualMachine.NONE)) {
            Crew<Caller> fresh = new Crew<>(execution, parameters.handlerLimit().toNanos(), impatient);
            fresh.add(new Caller(new Worker(execution, "call", "machine", null)));
            caller = fresh;
        }
    }

    /** Lets the thread end: now, or when it comes back from a call that nobody waits for any more. */
    void close() {
        if (caller != null) {
            caller.dismiss();
        }
    }

    /** Tells whether it has not come back from a call yet that is not waited for any more. */
    boolean hangs() {
        return caller != null
                && caller.members().stream().anyMatch(member -> !member.worker().isIdle());
    }

    void prepare() throws IOException {
        call("prepare", SWITCHOVER, vm::prepare);
    }

    void throttle(int percent) throws IOException {
        call("throttle", percent + " %", () -> vm.throttle(percent));
    }

    void stop() throws IOException {
        call("stop", SWITCHOVER, vm::stop);
    }

    /**
     * Lets it run.
     *
     * @param reason why, for whoever reads the recording
     */
    void resume(String reason) throws IOException {
        call("resume", reason, vm::resume);
    }

    private void call(String name, String reason, Call call) throws IOException {
        open();
        if (caller == null) {
            recorded(name, reason, call);
        } else {
            caller.all(name, member -> recorded(name, reason, call), () -> {});
        }
    }

    private static void recorded(String name, String reason, Call call) throws IOException {
        VirtualMachineEvent event = new VirtualMachineEvent();
        event.call = name;
        event.reason = reason;
        event.begin();
        try {
            call.run();
        } catch (IOException e) {
            event.failure = MigrationException.message(e);
            throw e;
        } catch (RuntimeException | Error e) {
            event.failure = e.toString();
            throw e;
        } finally {
            event.commit();
        }
    }
}
