// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;

/**
 * The virtual machine as a migration calls it. Its monitor is somebody else's code: whatever that throws is a failure
 * of the migration, and no more than that.
 */
final class GuardedMachine {
    private static final String SWITCHOVER = "switchover";

    private final VirtualMachine vm;

    GuardedMachine(VirtualMachine vm) {
        this.vm = vm;
    }

    /** One of the calls. */
    @FunctionalInterface
    private interface Call {
        void run() throws IOException;
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

    private static void call(String name, String reason, Call call) throws IOException {
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
            throw new IOException("the virtual machine: " + name + ": unexpected: " + e, e);
        } finally {
            event.commit();
        }
    }
}
