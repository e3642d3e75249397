// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.PooledBuffer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that is saved at a source and loaded at a destination: a VFIO device, or any other part of a machine.
 *
 * <p>It is what QEMU calls {@code SaveVMHandlers}; each method names the one that it stands for. A virtual machine
 * monitor implements it for what is its own; {@link io.vfio4j.migration.handler.VfioDeviceHandler} is the one for
 * devices. {@link #name} and {@link #description} have to be there. The others do nothing unless they are overridden,
 * and what they tell is that there is nothing; but {@link #misfit} compares kinds and versions, and what a handler has
 * not asked for is refused: pages by {@link #placePages}, state that could wait by {@link #takesLater}.
 *
 * <p>All calls of a migration come one at a time: what a handler says of itself and {@link #prepare} on threads that
 * end soon, and all that follows, to {@link #cleanup}, on one other thread of the handler's own; other handlers' calls
 * run beside them. A call that does not return within {@link MigrationParameters#handlerLimit} ends the migration. What
 * a method throws, of any type, ends it too, before COMMIT with all handlers taken back. {@link #name},
 * {@link #description}, {@link #peerToPeer} and {@link #isRunning} are asked once, and the answers hold for the whole
 * migration.
 *
 * <p>At the source: {@code prepare, saveSetup, (pending, iterate)*, quiesce, pending(FINAL), stop, complete, hasLater,
 * saveLater, release, cleanup}; when the switchover is withdrawn after {@code quiesce}, {@code unquiesce} and on with
 * {@code iterate}; when the migration fails, {@code resumeQuiesced, resume, cleanup}. At the destination:
 * {@code prepare, rehearse, loadSetup, (load, loadPages, loadExtra, initialLoaded)*, switchoverStart, load*,
 * loadFinish, resumeQuiesced, resume, cleanup}; where the source has state that could wait, {@code takesLater} after
 * {@code switchoverStart}, and between the last two {@code (load, loadExtra)*} and {@code laterLoaded} or
 * {@code laterLost}; when it fails, {@code discard, cleanup}.
 */
public interface StateHandler {

    /** How exact {@link #pending} has to be. */
    enum Precision {
        /** From what is known: no system call. Called after each piece: QEMU's {@code state_pending_estimate}. */
        ESTIMATE,
        /** Asked for anew. Called at the end of a round: QEMU's {@code state_pending_exact}. */
        EXACT,
        /** The last look, when all handlers are quiesced and the virtual machine is stopped: part of the downtime. */
        FINAL
    }

    /** What a handler has to do with peer-to-peer DMA. */
    enum PeerToPeer {
        /** It is no device. */
        NONE,
        /** It can be kept from it while the others still run. */
        QUIESCES,
        /** It cannot: beside other devices it is refused, unless the caller allows it. */
        CANNOT_QUIESCE
    }

    /**
     * What a handler is, for the other side to compare.
     *
     * @param kind what sort of state it is, such as {@code vfio}
     * @param version of the state's format, &gt; 0
     * @param attributes what else must be known, at most {@link #MAX_ATTRIBUTES}; keys and values of at most
     *     {@link #MAX_LENGTH} bytes
     */
    record Description(String kind, int version, Map<String, String> attributes) {
        /** How many attributes there can be. */
        public static final int MAX_ATTRIBUTES = 8;

        /** How long a name, kind, key or value can be, in bytes of UTF-8. */
        public static final int MAX_LENGTH = 96;

        /** Copies the attributes. */
        public Description {
            attributes = Map.copyOf(attributes);
        }
    }

    /**
     * How long a device takes for the arcs that will be part of the downtime.
     *
     * @param stopNanos to STOP, in nanoseconds
     * @param quiescedNanos to RUNNING_P2P, in nanoseconds
     * @param runNanos to RUNNING, in nanoseconds
     */
    record Rehearsal(long stopNanos, long quiescedNanos, long runNanos) {
        /** What takes no time worth speaking of. */
        public static final Rehearsal NOTHING = new Rehearsal(0, 0, 0);

        /**
         * Returns what all of it takes.
         *
         * @return the sum, in nanoseconds
         */
        public long nanos() {
            return stopNanos + quiescedNanos + runNanos;
        }
    }

    /**
     * Returns what ties this handler to the one at the other side: {@code idstr} and {@code instance_id} in QEMU.
     *
     * @return a name that no other handler of this migration has
     */
    String name();

    /**
     * Returns what the handler is.
     *
     * @return the description, the same whenever it is asked for
     */
    Description description();

    /**
     * Tells whether the handler's state, once known to the other side, fits here. Destination only.
     *
     * @param source the description of the handler of the same name
     * @return why it does not, as one line for a person; null when it does
     */
    default @Nullable String misfit(Description source) {
        Description here = description();
        if (!source.kind().equals(here.kind())) {
            return "the source's is of kind " + source.kind() + ", this one of kind " + here.kind();
        }
        return source.version() == here.version()
                ? null
                : "the source's state has version " + source.version() + ", this one loads version " + here.version();
    }

    /**
     * Returns what the handler has to do with peer-to-peer DMA.
     *
     * @return its part
     */
    default PeerToPeer peerToPeer() {
        return PeerToPeer.NONE;
    }

    /**
     * Says no if there is a reason, before anything is touched: {@code save_prepare}. Both sides.
     *
     * @throws IOException why not
     */
    default void prepare() throws IOException {}

    /**
     * Tells whether the machine runs, as far as this handler knows. Asked after {@link #prepare}, at the source.
     *
     * @return false for a device that is stopped, as that of a paused virtual machine is
     */
    default boolean isRunning() {
        return true;
    }

    /**
     * Begins to save: {@code save_setup}. The virtual machine runs.
     *
     * @throws IOException when it cannot
     */
    default void saveSetup() throws IOException {}

    /**
     * Says how long one of the two steps down is likely to take, by what the device has taken for {@link #saveSetup}.
     * Asked once thereafter.
     *
     * @return nanoseconds; 0 for what takes no time worth speaking of
     */
    default long stepNanos() {
        return 0;
    }

    /**
     * Tells whether there is anything to save: {@code is_active}. Asked once, after {@link #saveSetup}.
     *
     * @return false for a handler that has nothing to send in this migration
     */
    default boolean isActive() {
        return true;
    }

    /**
     * Tells whether {@link #iterate} makes sense now: {@code is_active_iterate}. Asked before each.
     *
     * @return true only while the handler's state can be read with the virtual machine running
     */
    default boolean iterates() {
        return false;
    }

    /**
     * Says what is left.
     *
     * <p>The mapping of {@code state_pending_estimate(threshold_size, must_precopy, can_postcopy)} and
     * {@code state_pending_exact}: {@code must_precopy} is the sum of {@link Pending#requiredBytes},
     * {@code preCopyBytes} and {@code stoppedBytes}, {@code can_postcopy} is {@code laterBytes}. QEMU's handlers had
     * the threshold to hold a switchover back until their first part had gone; here a handler says that outright by
     * {@code requiredBytes} and by the acknowledgements that it wants ({@code switchover_ack_pending}).
     *
     * @param thresholdBytes how many bytes fit into the downtime limit at the measured rate: what is far above it need
     *     not be exact
     * @param precision how exact to be
     * @param pending what to fill in; it comes with zeros
     * @throws IOException when it cannot tell
     */
    default void pending(long thresholdBytes, Precision precision, Pending pending) throws IOException {}

    /**
     * Sends one piece, with the virtual machine running: {@code save_live_iterate}.
     *
     * @param out where to
     * @return false when there was nothing to send now
     * @throws IOException when it cannot be read or sent
     */
    default boolean iterate(StateOutput out) throws IOException {
        return false;
    }

    /**
     * Keeps the device from peer-to-peer DMA, the first of two steps down: the "prepare" callback of QEMU's virtual
     * machine state handlers. The virtual machine is stopped; all handlers do this before any does the next step. At
     * the destination it comes before {@link #hold}, and what it throws then is found out there.
     *
     * @throws IOException when it cannot
     */
    default void quiesce() throws IOException {}

    /**
     * Undoes {@link #quiesce} when the switchover is withdrawn; the virtual machine runs on thereafter.
     *
     * @throws IOException when it cannot
     */
    default void unquiesce() throws IOException {}

    /**
     * Stops the device, the second step down. What it holds does not change any more.
     *
     * @throws IOException when it cannot
     */
    default void stop() throws IOException {}

    /**
     * Sends all that is left: {@code save_complete_precopy_thread}. The handlers do this beside each other.
     *
     * @param out where to
     * @throws IOException when it cannot be read or sent
     */
    default void complete(StateOutput out) throws IOException {}

    /**
     * Tells whether the handler has state that can wait until the destination runs: {@code has_postcopy}. Asked once,
     * after {@link #complete}. The destination's {@link #takesLater} must agree.
     *
     * @return true when {@link #saveLater} has something to send
     */
    default boolean hasLater() {
        return false;
    }

    /**
     * Sends all that could wait: {@code save_live_complete_postcopy}. The destination runs, this side's virtual machine
     * is stopped, and nothing that fails here takes anything back: the destination goes on without what is missing, and
     * both sides say so. On its way into a file it is called right after {@link #complete}, for nothing runs there.
     *
     * @param out where to; what {@link MigrationLimits#maxBytesPerSecond} allows holds here too
     * @throws IOException when it cannot be read or sent, or the caller has given it up
     */
    default void saveLater(StateOutput out) throws IOException {}

    /**
     * Lets go at the source: the destination has the state and runs, and has all that could wait, too, as far as it
     * will ever have it.
     *
     * @throws IOException when it cannot; that is told, and undoes nothing
     */
    default void release() throws IOException {}

    /**
     * Lets the device run without peer-to-peer DMA, the first of two steps up: all handlers do this before any does the
     * next step. At the destination after COMMIT; at the source when the migration failed, whatever had been done
     * before.
     *
     * @throws IOException when it cannot
     */
    default void resumeQuiesced() throws IOException {}

    /**
     * Lets the device run, the second step up: it is as if there had been no migration. A handler that did not run
     * before the migration is taken back to where it was.
     *
     * @throws IOException when it cannot
     */
    default void resume() throws IOException {}

    /**
     * Gives back what the migration took, however it ended: {@code save_cleanup}, {@code load_cleanup}. What it throws
     * is told, and changes nothing.
     */
    default void cleanup() {}

    /**
     * Does what the downtime will ask of the destination, and says how long it took. What the handler holds is about to
     * be replaced.
     *
     * @return the times
     * @throws IOException when it fails
     */
    default Rehearsal rehearse() throws IOException {
        return Rehearsal.NOTHING;
    }

    /**
     * Gets ready to load: {@code load_setup}.
     *
     * @throws IOException when it cannot
     */
    default void loadSetup() throws IOException {}

    /**
     * Loads a piece of what {@link #iterate} and {@link #complete} sent, in their order: {@code load_state},
     * {@code load_state_buffer}.
     *
     * @param chunk a piece whose checksum was found right; valid until this returns
     * @throws IOException when it is refused
     */
    default void load(PooledBuffer chunk) throws IOException {}

    /**
     * Loads what {@link StateOutput#sendExtra} sent, in its place among the pieces.
     *
     * @param extra little-endian, set to what was sent; valid until this returns
     * @throws IOException when it is refused
     */
    default void loadExtra(ByteBuffer extra) throws IOException {}

    /**
     * Says which pages this handler may send by {@link StateOutput#sendPages}, so that each has a place of its own in a
     * file, which then does not grow with what goes again: {@code mapped-ram} in QEMU. Asked once, before all else; the
     * same at both sides. Pages of a handler that says nothing here go into a file as they come.
     *
     * @return ranges that do not overlap, in the order of their places
     */
    default List<PageRange> placedPages() {
        return List.of();
    }

    /**
     * Pages of memory that a handler may send.
     *
     * @param region the number of their region in the handler's tables
     * @param first the first page's number in the region
     * @param count how many, at least 1
     */
    record PageRange(int region, long first, long count) {
        /** Checks the range. */
        public PageRange {
            if (first < 0 || count < 1 || first > Long.MAX_VALUE - count) {
                throw new IllegalArgumentException("there are no " + count + " pages from page " + first);
            }
        }
    }

    /**
     * Says where the pages are to be put that follow a frame, which are then read straight into place; and puts the
     * pages there that the table says are zero. {@code load_multifd_page} in QEMU.
     *
     * <p>Called on the thread that receives, in the order of the frames, beside calls of {@link #load},
     * {@link #loadPages} and {@link #loadExtra} for frames before it: it writes to the pages of this table, and changes
     * nothing else. From a file in which {@link #placedPages} have places, they are loaded when all else of all
     * handlers has been, on the thread that makes the handler's other calls.
     *
     * @param table a {@link io.vfio4j.stream.PageTable} whose checksum was found right, but which is a peer's: little
     *     endian, from position to limit; valid until this returns
     * @return native memory for all pages that follow, in the table's order, none longer than 2 GiB
     * @throws IOException when the table is refused; nothing has been written to then
     */
    default List<MemorySegment> placePages(ByteBuffer table) throws IOException {
        throw new IOException(name() + ": the source sent pages, and this is no memory");
    }

    /**
     * Checks pages that were put into place by {@link #placePages}. Pages of later frames may be in place by now.
     *
     * @param table the same table; valid until this returns
     * @throws IOException when it is refused
     */
    default void loadPages(ByteBuffer table) throws IOException {}

    /**
     * Gets ready for the switchover as far as that is possible now that all initial bytes are loaded; the source waits
     * for this to return: {@code switchover_ack} in QEMU.
     *
     * @throws IOException when it cannot
     */
    default void initialLoaded() throws IOException {}

    /**
     * Hears that what follows is what the source sends while it is stopped: {@code switchover_start}.
     *
     * @throws IOException when it cannot
     */
    default void switchoverStart() throws IOException {}

    /**
     * Checks what was loaded, and says no if it is not good. All handlers have all their pieces.
     *
     * @throws IOException when it is refused
     */
    default void loadFinish() throws IOException {}

    /**
     * Tells whether {@link #load} and {@link #loadExtra} may be called when the machine runs here already: a disk, for
     * one, must not be written to by a peer then. Asked at the destination when the source says that it has state that
     * could wait, before it runs; from a file too.
     *
     * @return true for a handler that loads what {@link #saveLater} sends; else the migration fails, and the source
     *     runs on
     */
    default boolean takesLater() {
        return false;
    }

    /**
     * Hears that all has been loaded that {@link #saveLater} sent. It came by {@link #load} and {@link #loadExtra},
     * after {@link #resume}; from a file before {@link #loadFinish}, and this is called after {@link #resume} all the
     * same.
     *
     * @throws IOException when it is not good; it counts as missing then, as by {@link #laterLost}, and all runs on
     */
    default void laterLoaded() throws IOException {}

    /**
     * Hears that not all will come that {@link #saveLater} has sent or would have: the virtual machine runs here and
     * goes on without. What has come of it may be of no use, such as a bitmap in which bits are missing.
     *
     * @param cause why
     */
    default void laterLost(IOException cause) {}

    /**
     * Throws away at the destination what was loaded: the source goes on with it.
     *
     * @throws IOException when it cannot; that is told
     */
    default void discard() throws IOException {}

    /**
     * Keeps at the destination what was loaded, although it cannot run: the source has let go of it.
     *
     * @return whether it still has it all
     */
    default boolean hold() {
        return true;
    }
}
