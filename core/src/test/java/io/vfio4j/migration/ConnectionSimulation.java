// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.UUID;

/** A migration from one process to another, over a network that others use too. */
final class ConnectionSimulation extends Simulation {

    ConnectionSimulation(Schedule schedule) throws IOException {
        super(schedule);
    }

    @Override
    void run() {
        world.start("destination", () -> destination.load(SimulatedNetwork.ADDRESS));
        world.start("source", () -> {
            world.await(Long.MAX_VALUE, () -> network.isListening() || destination.hasEnded());
            source.save(SimulatedNetwork.ADDRESS);
            resolveDoubts();
        });
        world.run();
    }

    @Override
    void happens(Kind fault) {
        switch (fault) {
            case CUT -> network.cut();
            case SHORT_STALL -> network.stall(SimulatedWorld.SECOND);
            case LONG_STALL -> network.stall(2 * SimulatedSide.PEER_LIMIT.toNanos());
            case STRANGER -> world.start("stranger", this::comeAsStranger);
            case DUPLICATE_BEFORE -> comeAgain(true);
            case DUPLICATE_AFTER -> comeAgain(false);
            default -> super.happens(fault);
        }
    }

    private void comeAsStranger() {
        SimulatedProcess process = process("stranger");
        try (Transport transport = process.openTransport()) {
            Connection connection = transport.connect(SimulatedNetwork.ADDRESS, SimulatedSide.PEER_LIMIT);
            int stream = world.random().nextInt(5);
            FrameChannel channel = new FrameChannel(LibC.system(), process, connection, stream);
            try {
                switch (world.random().nextInt(4)) {
                    case 0 -> channel.send(FrameKind.HELLO, new Message.Hello(new UUID(1, 2), 4096, List.of()));
                    case 1 -> channel.send(FrameKind.ATTACH, new Message.Attach(new UUID(1, 2)));
                    case 2 -> channel.send(FrameKind.COMMIT);
                    default -> world.sleep(2 * SimulatedWorld.SECOND);
                }
                channel.awaitClose(SimulatedSide.PEER_LIMIT);
            } finally {
                channel.free();
            }
        } catch (IOException e) {
            world.note("the stranger is turned away: " + e.getMessage());
        }
    }

    /** A connection of the source, or its next one, is there twice: the copy says the same first words, and no more. */
    private void comeAgain(boolean first) {
        SimulatedProcess process = process("duplicate");
        Connection connection = network.squeezeIn(process, first);
        int number = world.random().nextInt(network.firstWords().size() + 1);
        if (connection == null) {
            world.note("nobody listens any more");
            return;
        }
        world.start("duplicate", () -> {
            try (connection) {
                world.await(
                        world.now() + SimulatedSide.PEER_LIMIT.toNanos(),
                        () -> network.firstWords().size() > number);
                if (network.firstWords().size() > number) {
                    connection.write(ByteBuffer.wrap(network.firstWords().get(number)));
                }
                ByteBuffer scratch = ByteBuffer.allocate(1 << 10);
                while (!connection.atEnd(scratch.clear())) {
                    world.note("the duplicate is answered");
                }
            } catch (TransportException e) {
                world.note("the duplicate ends: " + e.getMessage());
            }
        });
    }

    @Override
    boolean allHaveLoaded() {
        return destination.hasEnded();
    }

    @Override
    boolean hasMoved() {
        return destination.machine().ran();
    }

    @Override
    void judge() {
        super.judge();
        require(
                hasMoved() || destination.process().hasCrashed() || destination.hasFailed(),
                "the destination completed and does not run");
    }
}
