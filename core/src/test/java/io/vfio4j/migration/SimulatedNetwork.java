// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Listener;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import io.vfio4j.transport.TransportException.Problem;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What connects the processes of a simulation: bytes arrive in order, after some time, or not at all any more.
 *
 * <p>It can be cut and stalled, and tells of every connection and message, which is when that is to happen.
 */
final class SimulatedNetwork {
    static final TransportAddress.Peer ADDRESS = new TransportAddress.Tcp("simulated", 1);

    /** What fits into a connection: little, so that a writer waits for its reader. */
    static final int CAPACITY = 4 << 10;

    private static final int MOST_LATENCY_MICROS = 500;

    private final SimulatedWorld world;
    private final Runnable beforeMessage;
    private final List<Wire> wires = new ArrayList<>();
    private final List<byte[]> firstWords = new ArrayList<>();
    private @Nullable Port port;
    private long stalledUntil;

    /** Makes a network, and says who is told of each connection and message before it goes. */
    SimulatedNetwork(SimulatedWorld world, Runnable beforeMessage) {
        this.world = world;
        this.beforeMessage = beforeMessage;
    }

    boolean isListening() {
        return port != null;
    }

    /** Breaks all connections: what is on its way arrives, or is lost. */
    void cut() {
        world.note("the network is cut");
        wires.forEach(wire -> wire.breakDown(world.random().nextBoolean()));
    }

    /** Nothing arrives for a while. */
    void stall(long nanos) {
        world.note("the network stalls for " + nanos / SimulatedWorld.MILLI + " ms");
        stalledUntil = world.now() + nanos;
        world.wakeAt(stalledUntil);
    }

    /** A process is gone: its kernel closes what it had open. */
    void closeAllOf(SimulatedProcess process) {
        for (Wire wire : wires) {
            if (wire.writer == process || wire.reader == process) {
                wire.breakDown(world.random().nextBoolean());
            }
        }
        Port open = port;
        if (open != null && open.process == process) {
            open.close();
        }
    }

    /** What is still open, which at the end is a leak. */
    List<String> open() {
        List<String> open = new ArrayList<>();
        wires.stream()
                .filter(wire -> !wire.writerClosed || !wire.readerClosed)
                .forEach(wire -> open.add(wire.writer.name() + " to " + wire.reader.name()));
        if (port != null) {
            open.add("the listener");
        }
        return open;
    }

    /** The first message of each connection, in the order in which they were made. */
    List<byte[]> firstWords() {
        return firstWords;
    }

    /** Connects at once to whoever listens, in front of those that wait there or behind them; null if nobody does. */
    @Nullable
    Connection squeezeIn(SimulatedProcess process, boolean first) {
        Port open = port;
        if (open == null || process.hasCrashed()) {
            return null;
        }
        Wire there = wire(process, open.process);
        Wire back = wire(open.process, process);
        // What it says first is an answer.
        back.used = true;
        End end = new End(open.process, back, there, SimulatedSide.PEER_LIMIT);
        if (first) {
            open.waiting.addFirst(end);
        } else {
            open.waiting.addLast(end);
        }
        return new End(process, there, back, SimulatedSide.PEER_LIMIT);
    }

    Connection connect(SimulatedProcess process, Duration limit) throws TransportException {
        beforeMessage.run();
        world.letOthersRun();
        Connection connection = squeezeIn(process, false);
        if (connection == null) {
            throw new TransportException(Problem.UNREACHABLE, ADDRESS + ": nobody listens there", null);
        }
        connection.limit(limit);
        return connection;
    }

    Listener listen(SimulatedProcess process) {
        Port opened = new Port(process);
        port = opened;
        return opened;
    }

    private Wire wire(SimulatedProcess writer, SimulatedProcess reader) {
        Wire wire = new Wire(writer, reader);
        wires.add(wire);
        return wire;
    }

    private record Packet(ByteBuffer bytes, long arrival) {}

    /** One direction of a connection. */
    private final class Wire {
        private final SimulatedProcess writer;
        private final SimulatedProcess reader;
        private final Deque<Packet> packets = new ArrayDeque<>();
        private boolean used;
        private int inFlight;
        private boolean broken;
        private boolean writerClosed;
        private boolean readerClosed;

        private Wire(SimulatedProcess writer, SimulatedProcess reader) {
            this.writer = writer;
            this.reader = reader;
        }

        void breakDown(boolean arrives) {
            broken = true;
            if (!arrives) {
                packets.clear();
            }
        }

        boolean takesMore() {
            return inFlight < CAPACITY || broken || readerClosed || writerClosed;
        }

        boolean hasArrived() {
            Packet first = packets.peek();
            return first != null && first.arrival <= world.now() && stalledUntil <= world.now();
        }

        boolean hasEnded() {
            return packets.isEmpty() && (broken || writerClosed);
        }
    }

    /** One process's end of a connection. */
    private final class End implements Connection {
        private final SimulatedProcess process;
        private final Wire out;
        private final Wire in;
        private long limit;
        private long last = Long.MAX_VALUE;
        private boolean readsWait;
        private boolean readingStopped;
        private boolean closed;

        End(SimulatedProcess process, Wire out, Wire in, Duration limit) {
            this.process = process;
            this.out = out;
            this.in = in;
            this.limit = limit.toNanos();
        }

        @Override
        public String peer() {
            return "simulated:" + out.reader.name();
        }

        @Override
        public void limit(Duration wait) {
            limit = wait.toNanos();
        }

        @Override
        public void within(@Nullable Duration total) {
            last = total == null ? Long.MAX_VALUE : world.now() + total.toNanos();
        }

        @Override
        public void readsWait(boolean wait) {
            readsWait = wait;
        }

        @Override
        public void write(ByteBuffer from) throws TransportException {
            if (!out.used) {
                out.used = true;
                firstWords.add(copy(from).array());
            }
            beforeMessage.run();
            boolean inTime = world.await(Math.min(last, world.now() + limit), () -> out.takesMore() || closed);
            if (closed || out.broken || out.readerClosed || process.hasCrashed()) {
                throw ended();
            }
            if (!inTime) {
                throw silent();
            }
            ByteBuffer copy = copy(from);
            from.position(from.limit());
            out.inFlight += copy.remaining();
            Packet before = out.packets.peekLast();
            long arrival = world.now() + (1 + world.random().nextInt(MOST_LATENCY_MICROS)) * SimulatedWorld.MICRO;
            arrival = before == null ? arrival : Math.max(before.arrival, arrival);
            out.packets.add(new Packet(copy, arrival));
            world.wakeAt(arrival);
            world.note("sends " + copy.remaining() + " bytes");
            world.letOthersRun();
        }

        private static ByteBuffer copy(ByteBuffer from) {
            return ByteBuffer.allocate(from.remaining()).put(from.duplicate()).flip();
        }

        @Override
        public void read(ByteBuffer to) throws TransportException {
            while (to.hasRemaining()) {
                if (!readSome(to)) {
                    throw ended();
                }
            }
        }

        @Override
        public boolean atEnd(ByteBuffer scratch) throws TransportException {
            return !readSome(scratch);
        }

        private boolean readSome(ByteBuffer to) throws TransportException {
            long bound = readsWait ? Long.MAX_VALUE : Math.min(last, world.now() + limit);
            boolean inTime = world.await(bound, () -> in.hasArrived() || in.hasEnded() || closed || readingStopped);
            if (closed || process.hasCrashed()) {
                throw ended();
            }
            if (readingStopped) {
                return false;
            }
            if (!inTime) {
                throw silent();
            }
            Packet first = in.packets.peek();
            if (first == null) {
                return false;
            }
            int length = Math.min(to.remaining(), first.bytes.remaining());
            to.put(first.bytes.slice(first.bytes.position(), length));
            first.bytes.position(first.bytes.position() + length);
            in.inFlight -= length;
            if (!first.bytes.hasRemaining()) {
                in.packets.remove();
            }
            return true;
        }

        private TransportException ended() {
            return new TransportException(Problem.ENDED, peer() + ": the other side has closed the connection", null);
        }

        private TransportException silent() {
            close();
            return new TransportException(Problem.TIMED_OUT, peer() + ": the other side has been silent", null);
        }

        @Override
        public void stopReading() {
            readingStopped = true;
        }

        @Override
        public void close() {
            closed = true;
            out.writerClosed = true;
            in.readerClosed = true;
        }
    }

    /** Where connections come in. */
    private final class Port implements Listener {
        private final SimulatedProcess process;
        private final Deque<End> waiting = new ArrayDeque<>();
        private boolean closed;

        Port(SimulatedProcess process) {
            this.process = process;
        }

        @Override
        public TransportAddress.Peer address() {
            return ADDRESS;
        }

        @Override
        public Connection accept(Duration wait, Duration limit) throws TransportException {
            world.await(world.now() + wait.toNanos(), () -> !waiting.isEmpty() || closed);
            if (closed) {
                throw new TransportException(Problem.ENDED, "stopped listening", null);
            }
            End next = waiting.poll();
            if (next == null) {
                close();
                throw new TransportException(Problem.TIMED_OUT, "nobody connected in time", null);
            }
            next.limit(limit);
            return next;
        }

        @Override
        public void close() {
            closed = true;
            waiting.forEach(End::close);
            waiting.clear();
            if (port == this) {
                port = null;
            }
        }
    }
}
