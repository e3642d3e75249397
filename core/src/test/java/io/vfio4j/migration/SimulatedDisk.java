// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.IncomingFile;
import io.vfio4j.transport.OutgoingFile;
import io.vfio4j.transport.PlacedOutput;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import io.vfio4j.transport.TransportException.Problem;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The disk that the processes of a simulation share: each access takes some time or fails, and what was not forced may
 * be lost with the power.
 */
final class SimulatedDisk {
    static final TransportAddress.File ADDRESS =
            (TransportAddress.File) TransportAddress.parse("file:/simulated/state");

    /** How much is read at a time. */
    private static final int BLOCK = 4096;

    private static final int MOST_MICROS = 300;

    private final SimulatedWorld world;
    private final Faults faults;
    private final Consumer<Kind> elsewhere;
    private final Map<String, Content> files = new TreeMap<>();
    private boolean full;

    /** Makes a disk, and says who does what goes wrong elsewhere while it is accessed. */
    SimulatedDisk(SimulatedWorld world, Faults faults, Consumer<Kind> elsewhere) {
        this.world = world;
        this.faults = faults;
        this.elsewhere = elsewhere;
    }

    /** What is in a file, and how much of that would outlive a loss of power. */
    private static final class Content {
        private byte[] bytes = {};
        private int forced;
        private boolean nameForced;

        private void append(ByteBuffer from) {
            int end = bytes.length;
            bytes = Arrays.copyOf(bytes, end + from.remaining());
            from.get(bytes, end, from.remaining());
        }
    }

    /** Which files there are. */
    Collection<String> names() {
        return files.keySet();
    }

    /** Tells whether there is a file that can be loaded. */
    boolean hasState() {
        return files.containsKey(ADDRESS.path().toString());
    }

    /** Whatever was not forced is lost, or some of it. */
    void losePower() {
        world.note("the power is lost");
        Map<String, Content> left = new TreeMap<>();
        files.forEach((name, content) -> {
            int kept = content.forced + world.random().nextInt(content.bytes.length - content.forced + 1);
            content.bytes = Arrays.copyOf(content.bytes, kept);
            boolean hasName = content.nameForced || world.random().nextBoolean();
            left.put(hasName ? name : partial(name), content);
        });
        files.clear();
        files.putAll(left);
    }

    private static String partial(String name) {
        return name + ".partial";
    }

    OutgoingFile create(SimulatedProcess process, TransportAddress.File address) throws TransportException {
        access(process, "create");
        String name = address.path().toString();
        refuseToReplace(name);
        Content content = new Content();
        files.put(partial(name), content);
        return new Writing(process, name, content);
    }

    IncomingFile open(SimulatedProcess process, TransportAddress.File address) throws TransportException {
        access(process, "open");
        Content content = files.get(address.path().toString());
        if (content == null) {
            throw new TransportException(Problem.UNREACHABLE, address + ": no such file", null);
        }
        return new Reading(process, content);
    }

    private void refuseToReplace(String name) throws TransportException {
        if (files.containsKey(name)) {
            throw new TransportException(Problem.UNREACHABLE, name + ": exists already", null);
        }
    }

    private void access(SimulatedProcess process, String what) throws TransportException {
        Kind fault = faults.next(Place.DISK);
        world.sleep((1 + world.random().nextInt(MOST_MICROS)) * SimulatedWorld.MICRO);
        world.note("disk: " + what);
        if (fault != null) {
            world.note(what + " " + fault);
            switch (fault) {
                case SLOW_DISK -> world.sleep(2 * SimulatedSide.PEER_LIMIT.toNanos());
                case FULL_DISK -> full = true;
                case DISK_ERROR -> throw failed(what + ": EIO");
                default -> elsewhere.accept(fault);
            }
        }
        if (process.hasCrashed()) {
            throw failed("the process has crashed");
        }
    }

    private static TransportException failed(String why) {
        return new TransportException(Problem.FAILED, "simulated: " + why, null);
    }

    /** A file of this disk is written by one process or read by it. */
    private abstract static class Open implements Connection {
        private boolean closed;

        @Override
        public String peer() {
            return ADDRESS.toString();
        }

        /** A disk is waited for as long as it takes. */
        @Override
        public void limit(Duration wait) {}

        @Override
        public void within(@Nullable Duration total) {}

        @Override
        public void readsWait(boolean wait) {}

        @Override
        public void write(ByteBuffer from) throws TransportException {
            throw new UnsupportedOperationException("it is read");
        }

        @Override
        public void read(ByteBuffer to) throws TransportException {
            throw new UnsupportedOperationException("it is written");
        }

        @Override
        public boolean atEnd(ByteBuffer scratch) throws TransportException {
            throw new UnsupportedOperationException("it is written");
        }

        @Override
        public void stopReading() {
            close();
        }

        @Override
        public void close() {
            closed = true;
        }

        void requireOpen() throws TransportException {
            if (closed) {
                throw new TransportException(Problem.ENDED, "simulated: it was closed", null);
            }
        }
    }

    private final class Writing extends Open implements OutgoingFile {
        private final SimulatedProcess process;
        private final String name;
        private final Content content;
        private boolean committed;

        private Writing(SimulatedProcess process, String name, Content content) {
            this.process = process;
            this.name = name;
            this.content = content;
        }

        @Override
        public Connection connection() {
            return this;
        }

        /** Nothing that is simulated has pages. */
        @Override
        public PlacedOutput places(long resumeAt) {
            throw new UnsupportedOperationException("it has no places");
        }

        @Override
        public void write(ByteBuffer from) throws TransportException {
            int end = from.limit();
            boolean written = false;
            try {
                requireOpen();
                access(process, "write");
                requireOpen();
                if (full) {
                    throw failed("write: ENOSPC");
                }
                written = true;
            } finally {
                if (!written) {
                    from.limit(from.position() + world.random().nextInt(from.remaining()));
                }
                content.append(from);
                from.limit(end);
            }
        }

        @Override
        public void force() throws TransportException {
            access(process, "force");
            if (full) {
                throw failed("force: ENOSPC");
            }
            content.forced = content.bytes.length;
        }

        @Override
        public void commit() throws TransportException {
            access(process, "commit");
            refuseToReplace(name);
            files.remove(partial(name));
            files.put(name, content);
            committed = true;
            access(process, "force the name");
            content.nameForced = true;
        }

        @Override
        public boolean isCommitted() {
            return committed;
        }

        @Override
        public void discard() {
            close();
            if (committed) {
                committed = false;
                files.remove(name);
            }
        }

        @Override
        public void close() {
            super.close();
            if (!committed && !process.hasCrashed()) {
                files.remove(partial(name), content);
            }
        }
    }

    private final class Reading extends Open implements IncomingFile {
        private final SimulatedProcess process;
        private final Content content;
        private int position;
        private int known;

        private Reading(SimulatedProcess process, Content content) {
            this.process = process;
            this.content = content;
        }

        @Override
        public void read(ByteBuffer to) throws TransportException {
            while (to.hasRemaining()) {
                if (!readSome(to)) {
                    throw new TransportException(Problem.ENDED, "simulated: the file ends too early", null);
                }
            }
        }

        @Override
        public boolean atEnd(ByteBuffer scratch) throws TransportException {
            return !readSome(scratch);
        }

        @Override
        public Connection connection() {
            return this;
        }

        @Override
        public long position() {
            return position;
        }

        @Override
        public void position(long to) {
            throw new UnsupportedOperationException("it has no places");
        }

        @Override
        public void read(ByteBuffer to, long from) {
            throw new UnsupportedOperationException("it has no places");
        }

        private boolean readSome(ByteBuffer to) throws TransportException {
            requireOpen();
            if (position == known) {
                access(process, "read");
                requireOpen();
                known = Math.min(content.bytes.length, known + BLOCK);
            }
            int length = Math.min(to.remaining(), known - position);
            to.put(content.bytes, position, length);
            position += length;
            return length > 0;
        }
    }
}
