// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;

/**
 * A file being written: it has its final name only when it is whole and on disk.
 *
 * <p>Until {@link #commit} it is {@code NAME.*.partial} beside its final place; closing it before removes it. One
 * thread at a time.
 */
public final class OutgoingFile implements AutoCloseable {
    private final TransportAddress.File address;
    private final Path partial;
    private final FileChannel channel;
    private final Connection connection;
    private boolean done;
    private boolean committed;

    private OutgoingFile(TransportAddress.File address, Path partial, FileChannel channel, Connection connection) {
        this.address = address;
        this.partial = partial;
        this.channel = channel;
        this.connection = connection;
    }

    /** Makes a file to write to. */
    static OutgoingFile create(TransportAddress.File address, Duration limit, Watchdog watchdog)
            throws TransportException {
        refuseToReplace(address);
        try {
            Path target = address.path().toAbsolutePath();
            Path partial = Files.createTempFile(target.getParent(), target.getFileName() + ".", ".partial");
            FileChannel channel = FileChannel.open(partial, StandardOpenOption.WRITE);
            return new OutgoingFile(
                    address, partial, channel, new ChannelConnection(channel, address.toString(), limit, watchdog));
        } catch (IOException e) {
            throw new TransportException(
                    Problem.UNREACHABLE, address + ": cannot be made: " + SystemTransport.reason(e), e);
        }
    }

    /**
     * Returns the file as a connection.
     *
     * @return the connection; closed with this file
     */
    public Connection connection() {
        return connection;
    }

    /**
     * Brings all that was written to disk.
     *
     * @throws TransportException {@code FAILED} such as for a full disk
     */
    public void force() throws TransportException {
        try {
            channel.force(true);
        } catch (IOException e) {
            throw new TransportException(Problem.FAILED, address + ": cannot be brought to disk: " + e.getMessage(), e);
        }
    }

    /**
     * Gives the file its final name.
     *
     * @throws TransportException {@code UNREACHABLE} when another file has that name by now
     */
    public void commit() throws TransportException {
        refuseToReplace(address);
        try {
            move();
            done = true;
            committed = true;
            forceFolder();
        } catch (FileAlreadyExistsException e) {
            throw existsAlready(address);
        } catch (IOException e) {
            throw new TransportException(
                    Problem.FAILED, address + ": cannot get its name: " + SystemTransport.reason(e), e);
        }
    }

    /**
     * Tells whether the file has its final name, so that somebody may use it.
     *
     * @return true from {@link #commit} on, also where that failed after the name was given
     */
    public boolean isCommitted() {
        return committed;
    }

    /** The name is on disk only when the folder is: the source gives the device up for it. */
    private void forceFolder() throws IOException {
        Path folder = address.path().toAbsolutePath().getParent();
        try (FileChannel entries = FileChannel.open(folder == null ? Path.of("/") : folder, StandardOpenOption.READ)) {
            entries.force(true);
        }
    }

    /** Closes the file and removes it, be it committed or not: what it holds is not to be used. */
    public void discard() {
        close();
        if (committed) {
            committed = false;
            delete(address.path());
        }
    }

    /**
     * A hard link fails where a file has that name by now; a rename would replace it. Not every file system has links.
     */
    private void move() throws IOException {
        try {
            Files.createLink(address.path(), partial);
            delete(partial);
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (UnsupportedOperationException | FileSystemException e) {
            Files.move(partial, address.path());
        }
    }

    private static void refuseToReplace(TransportAddress.File address) throws TransportException {
        if (Files.exists(address.path())) {
            throw existsAlready(address);
        }
    }

    private static TransportException existsAlready(TransportAddress.File address) {
        return new TransportException(
                Problem.UNREACHABLE, address + ": exists already; remove it or choose another name", null);
    }

    /** Closes the file, and removes it unless it was committed. Does nothing the second time. */
    @Override
    public void close() {
        connection.close();
        if (!done) {
            done = true;
            delete(partial);
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // It stays; where it is partial, its name says so.
            return;
        }
    }
}
