// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it.lab;

import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.example.RegistersHandler;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/**
 * A small virtual machine monitor, a program of its own: VFIO devices, and a device of its own whose registers its one
 * virtual CPU writes until it is stopped. It migrates once, and prints as properties what it saw.
 */
final class Monitor implements VirtualMachine, MigrationListener {
    static final String SOURCE = "source";
    static final String DESTINATION = "destination";

    private static final int REGISTERS = 10_000;
    private static final int WRITES_AT_ONCE = 100;
    private static final long PAUSE_NANOS = 1_000_000;

    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunks(20)
            .maxPreCopy(Duration.ofSeconds(60))
            .whenNotConverging(NotConverging.SWITCH_OVER)
            .build();

    private final List<VfioDevice> devices = new ArrayList<>();
    private final List<StateHandler> handlers = new ArrayList<>();
    private final RegistersHandler registers = new RegistersHandler("registers", REGISTERS);
    private final Thread virtualCpu = new Thread(this::write, "virtual-cpu");
    private volatile boolean stopped;

    private Monitor(List<String> addresses) throws IOException {
        for (String address : addresses) {
            devices.add(VfioHost.system().open(DeviceAddress.parse(address)));
        }
        handlers.addAll(VfioDeviceHandler.inOrder(devices.toArray(VfioDevice[]::new)));
        handlers.add(registers);
    }

    /** Takes {@code source} or {@code destination}, the other side's or its own address, and the devices. */
    public static void main(String[] arguments) throws IOException {
        List<String> words = List.of(arguments);
        Monitor monitor = new Monitor(words.subList(2, words.size()));
        TransportAddress address = TransportAddress.parse(words.get(1));
        if (words.getFirst().equals(SOURCE)) {
            monitor.send(address);
        } else {
            monitor.receive(address);
        }
        monitor.devices.forEach(VfioDevice::close);
    }

    private void send(TransportAddress to) throws IOException {
        virtualCpu.start();
        MigrationReport report = new OutgoingMigration(
                        LibC.system(), handlers, this, PARAMETERS, SwitchoverPolicy.STANDARD, this)
                .run(to);
        printStates();
        print("preCopyBytes", report.preCopyBytes());
        print("stopCopyBytes", report.stopCopyBytes());
        print("preCopyNanos", report.preCopyNanos());
        print("rounds", report.rounds());
        Downtime downtime = report.downtime();
        print("downtime.stopVm", downtime.stopVm());
        print("downtime.quiesce", downtime.quiesce());
        print("downtime.stopCopy", downtime.stopCopy());
        print("downtime.drain", downtime.drain());
        print("downtime.load", downtime.load());
        print("downtime.resume", downtime.resume());
        print("downtime", downtime.total());
        for (HandlerReport each : report.handlers()) {
            print(each.name() + ".preCopyBytes", each.preCopyBytes());
            print(each.name() + ".stopCopyBytes", each.stopCopyBytes());
            print(each.name() + ".quiesceNanos", each.quiesceNanos());
            print(each.name() + ".stopNanos", each.stopNanos());
            print(each.name() + ".drainNanos", each.drainNanos());
        }
    }

    private void receive(TransportAddress from) throws IOException {
        LoadReport report = new IncomingMigration(LibC.system(), handlers, this, PARAMETERS, this).run(from);
        printStates();
        print("bytes", report.bytes());
        print("loadNanos", report.loadNanos());
        print("resumeNanos", report.resumeNanos());
    }

    private void printStates() throws IOException {
        for (VfioDevice each : devices) {
            print("device" + devices.indexOf(each) + ".state", each.state());
        }
        print("registers", Arrays.hashCode(registers.values()));
    }

    private static void print(String name, Object value) {
        System.out.println(name + "=" + value);
    }

    private void write() {
        Random random = new Random(REGISTERS);
        while (!stopped) {
            for (int i = 0; i < WRITES_AT_ONCE; i++) {
                registers.write(random.nextInt(REGISTERS), random.nextLong());
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    @Override
    public void stop() throws IOException {
        stopped = true;
        try {
            virtualCpu.join();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    /** The registers are to be compared, so nothing writes them at the destination. */
    @Override
    public void resume() {}

    @Override
    public void onListening(String address) {
        System.out.println("listening on " + address);
    }

    /** The clock is the one of the test devices' logs. */
    @Override
    public void onPhase(Phase phase) {
        print(phase.toString(), System.nanoTime());
    }

    @Override
    public void onNotice(String text) {
        print("notice", text);
    }
}
