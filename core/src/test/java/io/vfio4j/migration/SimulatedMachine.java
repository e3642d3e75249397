// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The virtual machine of one process of a simulation, which notices when two of them run. */
final class SimulatedMachine implements VirtualMachine {
    private final SimulatedWorld world;
    private final SimulatedProcess process;
    private boolean runs;
    private boolean ran;
    private boolean stopFails;
    private boolean resumeFails;
    private boolean failed;
    private @Nullable String hangsIn;
    private final List<SimulatedMachine> others = new ArrayList<>();

    SimulatedMachine(SimulatedWorld world, SimulatedProcess process, boolean runs) {
        this.world = world;
        this.process = process;
        this.runs = runs;
    }

    /** Two machines with the same state: they do not run at the same time. */
    void neverRunsBeside(SimulatedMachine other) {
        others.add(other);
        other.others.add(this);
    }

    void failStop() {
        stopFails = true;
    }

    void failResume() {
        resumeFails = true;
    }

    /** Lets the next call of a name not come back for a minute, without having done anything. */
    void hangIn(String call) {
        hangsIn = call;
    }

    private void hang(String call) throws IOException {
        if (call.equals(hangsIn)) {
            hangsIn = null;
            failed = true;
            world.sleep(60 * SimulatedWorld.SECOND);
            throw new IOException("came back from " + call);
        }
    }

    /** Tells whether it did not stop or resume as it should have. */
    boolean hasFailed() {
        return failed;
    }

    /** Tells whether it runs now. */
    boolean runs() {
        return runs && !process.hasCrashed();
    }

    /** Tells whether it has run at some time since it was resumed. */
    boolean ran() {
        return ran;
    }

    @Override
    public void prepare() throws IOException {
        hang("prepare");
    }

    @Override
    public void throttle(int percent) throws IOException {
        hang("throttle");
    }

    @Override
    public void stop() throws IOException {
        hang("stop");
        world.letOthersRun();
        if (stopFails) {
            stopFails = false;
            failed = true;
            throw new IOException("the virtual machine does not stop");
        }
        runs = false;
        world.note("the virtual machine is stopped");
    }

    @Override
    public void resume() throws IOException {
        hang("resume");
        world.letOthersRun();
        if (process.hasCrashed()) {
            throw new IOException("the process has crashed");
        }
        if (resumeFails) {
            failed = true;
            throw new IOException("the virtual machine does not resume");
        }
        if (others.stream().anyMatch(SimulatedMachine::runs)) {
            world.fail("two virtual machines run");
        }
        runs = true;
        ran = true;
        world.note("the virtual machine runs");
    }
}
