// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.stream.PageTable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;

/**
 * State that changes while its virtual machine runs, and notices what a migration does wrong with it: pieces that are
 * lost or out of order, steps that some handlers take before others have done theirs.
 */
final class SimulatedHandler implements StateHandler {
    /** Where it is between running and stopped. */
    enum Position {
        RUNNING,
        QUIESCED,
        STOPPED,
        LOADING,
        LOADED,
        EMPTY
    }

    private static final int PAGES = 24;
    private static final int INITIAL = 3;
    private static final int PIECE = 16;
    private static final int MEMORY = 64;
    private static final int NO_PAGE = -1;

    /** What could wait: numbered from here downwards. */
    private static final int FIRST_LATER = -2;

    private static final int LATER_PIECES = 3;

    private final String name;
    private final SimulatedWorld world;
    private final SimulatedMachine machine;
    private final List<SimulatedHandler> siblings;
    private final int[] pages = new int[PAGES];
    private final BitSet dirty = new BitSet();

    /** What is sent from where it lies and put right where it belongs. */
    private final MemorySegment memory = Arena.ofAuto().allocate(MEMORY);

    private Position position;
    private int initialLeft = INITIAL;
    private int acksWanted = 1;
    private boolean reinitOnQuiesce;
    private int pieces;
    private boolean switchoverStarted;
    private boolean siblingsMayFail;
    private final int[] later = new int[LATER_PIECES];
    private int laterCame;
    private boolean laterWhole;
    private boolean laterLost;

    SimulatedHandler(
            String name,
            SimulatedWorld world,
            SimulatedMachine machine,
            Position position,
            List<SimulatedHandler> siblings) {
        this.name = name;
        this.world = world;
        this.machine = machine;
        this.position = position;
        this.siblings = siblings;
        siblings.add(this);
        if (position == Position.RUNNING) {
            Arrays.setAll(later, i -> name.hashCode() + i);
        }
    }

    void reinitOnQuiesce() {
        reinitOnQuiesce = true;
    }

    /** One of the handlers of this side is going to fail: they cannot keep together. */
    void siblingsMayFail() {
        siblingsMayFail = true;
    }

    Position position() {
        return position;
    }

    int[] pages() {
        return pages.clone();
    }

    int[] later() {
        return later.clone();
    }

    /** Tells whether all has come that could wait. */
    boolean laterWhole() {
        return laterWhole;
    }

    /** Tells whether it knows that not all has come that could wait. */
    boolean laterLost() {
        return laterLost;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description("simulated", 1, Map.of());
    }

    @Override
    public void saveSetup() {
        dirty.set(0, PAGES);
        initialLeft = INITIAL;
    }

    @Override
    public boolean iterates() {
        return true;
    }

    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        pending.requiredBytes((long) initialLeft * PIECE)
                .preCopyBytes((long) dirty.cardinality() * PIECE)
                .laterBytes((long) LATER_PIECES * PIECE)
                .acksWanted(acksWanted);
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        if (machine.runs() && world.random().nextInt(3) == 0) {
            int page = world.random().nextInt(PAGES);
            pages[page] = world.random().nextInt();
            dirty.set(page);
        }
        if (initialLeft == 0 && dirty.isEmpty()) {
            return false;
        }
        sendPiece(out);
        return true;
    }

    private void sendPiece(StateOutput out) throws IOException {
        PooledBuffer buffer = out.acquire();
        int page = NO_PAGE;
        if (initialLeft > 0) {
            initialLeft--;
        } else {
            page = dirty.nextSetBit(0);
            dirty.clear(page);
        }
        buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + PIECE)
                .putInt(pieces++)
                .putInt(page)
                .putInt(page == NO_PAGE ? 0 : pages[page])
                .putInt(initialLeft);
        buffer.length(PIECE);
        out.send(buffer);
    }

    @Override
    public void quiesce() {
        position = Position.QUIESCED;
        if (reinitOnQuiesce) {
            reinitOnQuiesce = false;
            initialLeft = 2;
            acksWanted++;
            world.note(name + " has new initial data");
        }
    }

    @Override
    public void unquiesce() {
        position = Position.RUNNING;
    }

    @Override
    public void stop() {
        require(
                siblings.stream().noneMatch(sibling -> sibling.position == Position.RUNNING),
                "stopped before all quiesced");
        require(!machine.runs(), "stopped while the virtual machine runs");
        position = Position.STOPPED;
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        require(position == Position.STOPPED, "completed while not stopped");
        while (initialLeft > 0 || !dirty.isEmpty()) {
            sendPiece(out);
        }
        sendMemory(out);
        out.sendExtra(ByteBuffer.allocate(Integer.BYTES)
                .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                .putInt(pieces)
                .flip());
    }

    private void sendMemory(StateOutput out) throws IOException {
        memory.fill((byte) pieces);
        PooledBuffer table = out.acquire();
        PageTable.Writer writer = new PageTable.Writer();
        writer.begin(table);
        writer.present(0, pieces);
        writer.page(0);
        table.length(writer.length());
        out.sendPages(table, List.of(memory));
    }

    @Override
    public boolean hasLater() {
        return true;
    }

    @Override
    public void saveLater(StateOutput out) throws IOException {
        require(position == Position.STOPPED, "sends what could wait while not stopped");
        for (int i = 0; i < LATER_PIECES; i++) {
            PooledBuffer buffer = out.acquire();
            buffer.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + PIECE)
                    .putInt(pieces++)
                    .putInt(FIRST_LATER - i)
                    .putInt(later[i])
                    .putInt(0);
            buffer.length(PIECE);
            out.send(buffer);
        }
    }

    @Override
    public boolean takesLater() {
        return true;
    }

    @Override
    public void laterLoaded() {
        require(position == Position.RUNNING, "has what could wait before it runs");
        require(laterCame == LATER_PIECES, "is told that all has come, and it has not");
        laterWhole = true;
    }

    @Override
    public void laterLost(IOException cause) {
        laterLost = true;
    }

    @Override
    public void release() {
        require(position == Position.STOPPED, "released while not stopped");
    }

    @Override
    public void resumeQuiesced() {
        require(position != Position.EMPTY && position != Position.LOADING, "run without a whole state");
        position = Position.QUIESCED;
    }

    @Override
    public void resume() {
        require(
                siblingsMayFail
                        || siblings.stream()
                                .allMatch(sibling ->
                                        sibling.position == Position.QUIESCED || sibling.position == Position.RUNNING),
                "resumed before all were quiesced");
        position = Position.RUNNING;
    }

    @Override
    public void loadSetup() {
        position = Position.LOADING;
        pieces = 0;
    }

    @Override
    public void load(PooledBuffer chunk) {
        ByteBuffer piece = chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + chunk.length());
        require(piece.remaining() == PIECE, "loaded a piece of another size");
        require(piece.getInt() == pieces, "loaded a piece out of order");
        pieces++;
        int page = piece.getInt();
        int value = piece.getInt();
        if (page <= FIRST_LATER) {
            later[FIRST_LATER - page] = value;
            laterCame++;
        } else if (page != NO_PAGE) {
            pages[page] = value;
        }
        initialLeft = piece.getInt();
    }

    @Override
    public List<MemorySegment> placePages(ByteBuffer table) throws IOException {
        PageTable.Reader reader = new PageTable.Reader();
        reader.begin(table);
        require(reader.next() && reader.isPresent() && reader.count() == 1, "placed by another table");
        return List.of(memory);
    }

    @Override
    public void loadPages(ByteBuffer table) throws IOException {
        PageTable.Reader reader = new PageTable.Reader();
        reader.begin(table);
        require(reader.next() && reader.first() == pieces, "loaded pages out of order");
        require(memory.get(JAVA_BYTE, memory.byteSize() - 1) == (byte) pieces, "loaded pages that are not in place");
    }

    @Override
    public void loadExtra(ByteBuffer extra) {
        require(extra.getInt() == pieces, "loaded not all pieces before what follows them");
    }

    @Override
    public void initialLoaded() {
        require(initialLeft == 0, "asked for an acknowledgement before all initial data was loaded");
    }

    @Override
    public void switchoverStart() {
        require(!switchoverStarted, "told twice of the switchover");
        switchoverStarted = true;
    }

    @Override
    public void loadFinish() {
        require(switchoverStarted, "finished before the switchover");
        position = Position.LOADED;
    }

    @Override
    public void discard() {
        position = Position.EMPTY;
    }

    @Override
    public boolean hold() {
        position = Position.LOADED;
        return true;
    }

    private void require(boolean holds, String otherwise) {
        if (!holds) {
            world.fail(name + ": " + otherwise);
        }
    }
}
