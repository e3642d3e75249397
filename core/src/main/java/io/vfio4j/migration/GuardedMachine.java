// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;

/**
 * The virtual machine as a migration calls it. Its monitor is somebody else's code: whatever that throws is a failure
 * of the migration, and no more than that.
 *
 * @param vm the virtual machine
 */
record GuardedMachine(VirtualMachine vm) implements VirtualMachine {

    /** One of the calls. */
    @FunctionalInterface
    private interface Call {
        void run() throws IOException;
    }

    @Override
    public void prepare() throws IOException {
        call("prepare", vm::prepare);
    }

    @Override
    public void throttle(int percent) throws IOException {
        call("throttle", () -> vm.throttle(percent));
    }

    @Override
    public void stop() throws IOException {
        call("stop", vm::stop);
    }

    @Override
    public void resume() throws IOException {
        call("resume", vm::resume);
    }

    private static void call(String name, Call call) throws IOException {
        try {
            call.run();
        } catch (RuntimeException | Error e) {
            throw new IOException("the virtual machine: " + name + ": unexpected: " + e, e);
        }
    }
}
