// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.Phase;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One side of a migration: test devices, their virtual machine, and what is heard. */
final class Side implements VirtualMachine, MigrationListener {

    /** Something to do at a moment of the migration, on its own thread. */
    interface Action {
        void run() throws IOException;
    }

    final List<Testdev> devices;

    /** The only one, in most tests. */
    final Testdev first;

    /** What migrates beside the devices. */
    final List<StateHandler> others = new ArrayList<>();

    final List<String> vmCalls = Collections.synchronizedList(new ArrayList<>());
    final List<String> notices = Collections.synchronizedList(new ArrayList<>());
    volatile CompletableFuture<String> listening = new CompletableFuture<>();
    private volatile Phase when = Phase.SETUP;
    private volatile Action inPhase = () -> {};
    private volatile Action atStop = () -> {};
    private volatile @Nullable IOException actionFailure;

    Side(List<Testdev> devices) {
        this.devices = List.copyOf(devices);
        this.first = devices.getFirst();
    }

    /** Has something done when a phase begins. */
    void on(Phase phase, Action does) {
        when = phase;
        inPhase = does;
    }

    /** Has something done each time the virtual machine is stopped. */
    void onStop(Action does) {
        atStop = does;
    }

    /** Takes the faults and what was heard away. */
    void calmDown() throws IOException {
        for (Testdev each : devices) {
            each.mdev.attribute("clear_faults", "1");
            each.mdev.attribute("log", "clear");
        }
        vmCalls.clear();
        notices.clear();
        inPhase = () -> {};
        atStop = () -> {};
    }

    /** Fails when what was to be done in a phase failed. */
    void assertActed() throws IOException {
        IOException failure = actionFailure;
        if (failure != null) {
            throw failure;
        }
    }

    List<Mdev> mdevs() {
        return devices.stream().map(each -> each.mdev).toList();
    }

    List<StateHandler> handlers() {
        List<StateHandler> all = new ArrayList<>(VfioDeviceHandler.inOrder(
                devices.stream().map(each -> each.device).toArray(VfioDevice[]::new)));
        all.addAll(others);
        return all;
    }

    @Override
    public void stop() throws IOException {
        vmCalls.add("stop");
        atStop.run();
    }

    @Override
    public void resume() {
        vmCalls.add("resume");
    }

    @Override
    public void onListening(String address) {
        listening.complete(address);
    }

    @Override
    public void onPhase(Phase phase) {
        if (phase == when) {
            try {
                inPhase.run();
            } catch (IOException e) {
                // The migration goes on whatever a listener throws.
                actionFailure = e;
            }
        }
    }

    @Override
    public void onNotice(String text) {
        notices.add(text);
    }
}
