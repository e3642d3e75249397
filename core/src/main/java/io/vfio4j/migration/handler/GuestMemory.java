// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.dirty.DirtyTrackingException;
import io.vfio4j.dirty.EverythingTracker;
import io.vfio4j.stream.PageTable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a virtual machine: named regions, and what tells which of their pages were written to.
 *
 * <p>{@link #handler} or {@link #handlers} make what moves it: one handler, with one connection, or several that share
 * the memory. The memory and the tracker stay the caller's: both must stay as they are until the migration has ended,
 * and the memory must stay mapped until then, also when the migration has left a handler in a call. One migration at a
 * time; it may serve another one thereafter.
 *
 * <p>A page on the wire has {@link #PAGE_BYTES} bytes, whatever the memory is made of: with huge pages, one that was
 * written to is reported as all the small ones that it contains. The tracker grants its page size; it needs not be this
 * one.
 */
public final class GuestMemory {
    /** What a page is on the wire, in bytes. */
    public static final int PAGE_BYTES = PageTable.PAGE_BYTES;

    /** How long a region's name can be, in bytes of UTF-8. */
    public static final int MAX_NAME_BYTES = 48;

    /** How many handlers a memory can be split among. */
    public static final int MAX_HANDLERS = 32;

    /** Shares begin at huge pages, where there are enough of them. */
    private static final long HUGE_PAGE = (2 << 20) / PAGE_BYTES;

    /** What somebody else has collected is new enough for an exact figure, and too new to tell a rate from. */
    private static final long NEW_NANOS = 5_000_000;

    private static final double NANOS_PER_SECOND = 1e9;

    /**
     * A region of memory.
     *
     * @param name its name, the same at both sides: not empty, at most {@link #MAX_NAME_BYTES} bytes, of visible ASCII
     *     characters without {@code @ + , :}
     * @param guestAddress where the guest sees it, a multiple of {@link #PAGE_BYTES}
     * @param memory where it is in this process: native, aligned to {@link #PAGE_BYTES} in address and size, and of any
     *     thread's. Before JDK 25 not of an arena that can be closed, for such memory cannot be checksummed there
     * @param readOnly whether nothing writes to it, so that it is sent once and not watched
     * @param fresh destination only: whether it is known to hold nothing but zeros, as memory does that was just
     *     mapped. Then zero pages are not even looked at, which for memory of a file would fill its holes
     */
    public record Region(String name, long guestAddress, MemorySegment memory, boolean readOnly, boolean fresh) {
        /**
         * Checks the region by itself.
         *
         * @throws IllegalArgumentException for a name, address or memory that is not as it has to be
         */
        public Region {
            if (!name.matches("[!-~&&[^@+,:]]{1," + MAX_NAME_BYTES + "}")) {
                throw new IllegalArgumentException("a region's name is 1 to " + MAX_NAME_BYTES
                        + " visible ASCII characters without @ + , : and not \"" + name + "\"");
            }
            if (guestAddress % PAGE_BYTES != 0) {
                throw new IllegalArgumentException("region " + name + ": the guest address 0x"
                        + Long.toHexString(guestAddress) + " is no multiple of " + PAGE_BYTES);
            }
            if (!memory.isNative() || memory.byteSize() == 0) {
                throw new IllegalArgumentException("region " + name + ": it needs native memory, and more than none");
            }
            if (((memory.address() | memory.byteSize()) & (PAGE_BYTES - 1)) != 0) {
                throw new IllegalArgumentException("region " + name + ": its memory of " + memory.byteSize()
                        + " bytes at 0x" + Long.toHexString(memory.address()) + " is not made of pages of "
                        + PAGE_BYTES + " bytes; map whole ones");
            }
            if (!memory.isAccessibleBy(Thread.ofPlatform().unstarted(() -> {}))) {
                throw new IllegalArgumentException("region " + name
                        + ": its memory belongs to one thread; use a shared arena, for a migration has several");
            }
        }

        /**
         * Makes a region that is written to.
         *
         * @param name its name
         * @param guestAddress where the guest sees it
         * @param memory where it is in this process
         * @return the region
         */
        public static Region of(String name, long guestAddress, MemorySegment memory) {
            return new Region(name, guestAddress, memory, false, false);
        }

        /**
         * Returns this region as one that nothing writes to.
         *
         * @return the region, read-only
         */
        public Region withReadOnly() {
            return new Region(name, guestAddress, memory, true, fresh);
        }

        /**
         * Returns this region as one that holds nothing but zeros yet.
         *
         * @return the region, fresh
         */
        public Region withFresh() {
            return new Region(name, guestAddress, memory, readOnly, true);
        }

        /**
         * Returns the region's guest addresses.
         *
         * @return the range
         */
        public AddressRange range() {
            return new AddressRange(guestAddress, memory.byteSize());
        }

        long pages() {
            return memory.byteSize() / PAGE_BYTES;
        }
    }

    /**
     * What has been sent of a memory in its migration, so far or in the end.
     *
     * @param pages how many pages there are
     * @param sentPages how many went, those that went again included
     * @param zeroPages how many went as zero, without their bytes, those that went again included
     * @param collections how often the tracker was asked
     * @param dirtyBytesPerSecond how fast memory became dirty while the virtual machine ran, between the last two
     *     collections that are at least 5 ms apart; 0 before there are two
     */
    public record Statistics(long pages, long sentPages, long zeroPages, int collections, long dirtyBytesPerSecond) {
        /**
         * Returns what went more than once.
         *
         * @return bytes, zero pages not counted apart
         */
        public long resentBytes() {
            return Math.max(0, sentPages + zeroPages - pages) * PAGE_BYTES;
        }
    }

    private final List<Region> regions;
    private final DirtyTracker tracker;
    private final LongSupplier clock;
    private final List<GuestMemoryHandler> started = new ArrayList<>();
    private final Set<String> said = new HashSet<>();
    private final Set<String> unsaid = new LinkedHashSet<>();
    private List<@Nullable DirtyBitmap> collected = List.of();
    private @Nullable String failure;
    private boolean everything;
    private boolean collectedLast;
    private volatile boolean news;
    private int collections;
    private long collectedAt;
    private long rateSince;
    private long dirtiedSince;
    private long dirtyBytesPerSecond;

    /**
     * Describes a memory; nothing is touched.
     *
     * @param regions its regions, at least one
     * @param tracker what sees all that writes to them, by the guest's addresses: a
     *     {@link io.vfio4j.dirty.TranslatedTracker} for one that watches this process, a
     *     {@link io.vfio4j.dirty.UnionTracker} for several. It does not watch yet. Not used at a destination
     * @throws IllegalArgumentException for regions that overlap, here or for the guest, or have the same name
     */
    public GuestMemory(List<Region> regions, DirtyTracker tracker) {
        this(regions, tracker, System::nanoTime);
    }

    /**
     * Describes a memory that is only loaded.
     *
     * @param regions its regions, at least one
     * @throws IllegalArgumentException for regions that overlap, here or for the guest, or have the same name
     */
    public GuestMemory(List<Region> regions) {
        this(regions, new EverythingTracker());
    }

    GuestMemory(List<Region> regions, DirtyTracker tracker, LongSupplier clock) {
        this.regions = List.copyOf(regions);
        this.tracker = tracker;
        this.clock = clock;
        if (regions.isEmpty()) {
            throw new IllegalArgumentException("a memory has at least one region");
        }
        for (int i = 0; i < regions.size(); i++) {
            requireUsable(regions.get(i));
            for (int j = 0; j < i; j++) {
                requireApart(regions.get(j), regions.get(i));
            }
        }
    }

    private static void requireApart(Region a, Region b) {
        if (a.name().equals(b.name())) {
            throw new IllegalArgumentException("two regions have the name " + a.name());
        }
        if (a.range().overlaps(b.range())) {
            throw new IllegalArgumentException("the regions " + a.name() + " at " + a.range() + " and " + b.name()
                    + " at " + b.range() + " overlap");
        }
        if (a.memory().asOverlappingSlice(b.memory()).isPresent()) {
            throw new IllegalArgumentException(
                    "the regions " + a.name() + " and " + b.name() + " are the same memory of this process");
        }
    }

    private static void requireUsable(Region region) {
        if (Runtime.version().feature() >= 25) {
            return;
        }
        try {
            new CRC32C().update(region.memory().asSlice(0, 1).asByteBuffer());
        } catch (UnsupportedOperationException e) {
            throw new IllegalArgumentException(
                    "region " + region.name() + ": before JDK 25 memory of an arena that can be closed cannot be "
                            + "checksummed (JDK-8357145); use Arena.ofAuto() or Arena.global()",
                    e);
        }
    }

    /**
     * Returns the regions.
     *
     * @return in the order given
     */
    public List<Region> regions() {
        return regions;
    }

    /**
     * Returns how large the memory is.
     *
     * @return bytes, of all regions
     */
    public long bytes() {
        return regions.stream().mapToLong(region -> region.memory().byteSize()).sum();
    }

    /**
     * Makes the one handler that moves all of this memory.
     *
     * @param name its name, the same at both sides
     * @return the handler
     */
    public GuestMemoryHandler handler(String name) {
        return share(name, 0, 1, bytes() / PAGE_BYTES);
    }

    /**
     * Makes several handlers that move this memory beside each other, each with its share, connection and thread. All
     * of them belong into one migration.
     *
     * @param name their names, each with its number behind it, from 0; the same at both sides
     * @param count how many, 1 to {@link #MAX_HANDLERS} and no more than there are pages; the same at both sides
     * @return the handlers
     * @throws IllegalArgumentException for a count out of range
     */
    public List<GuestMemoryHandler> handlers(String name, int count) {
        long pages = bytes() / PAGE_BYTES;
        if (count < 1 || count > MAX_HANDLERS || count > pages) {
            throw new IllegalArgumentException("a memory of " + pages + " pages has 1 to " + MAX_HANDLERS
                    + " handlers, and no more than pages, not " + count);
        }
        List<GuestMemoryHandler> handlers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            handlers.add(share(name + i, i, count, pages));
        }
        return handlers;
    }

    private GuestMemoryHandler share(String name, int index, int count, long pages) {
        return new GuestMemoryHandler(
                this, name, index, count, parts(bound(pages, index, count), bound(pages, index + 1, count)));
    }

    private static long bound(long pages, int index, int count) {
        if (index == count) {
            return pages;
        }
        long unit = pages / HUGE_PAGE >= count ? HUGE_PAGE : 1;
        return pages / unit * index / count * unit;
    }

    /** What of the regions lies between two pages of all that there are, one region after the other. */
    private List<RegionPart> parts(long first, long end) {
        List<RegionPart> parts = new ArrayList<>();
        long begin = 0;
        for (int i = 0; i < regions.size(); i++) {
            Region region = regions.get(i);
            long from = Math.max(first - begin, 0);
            long to = Math.min(end - begin, region.pages());
            if (from < to) {
                parts.add(new RegionPart(region, i, from, to - from));
            }
            begin += region.pages();
        }
        return parts;
    }

    /**
     * Says what has been sent. Any thread.
     *
     * @param handlers all handlers that were made for the migration
     * @return the statistics of the migration that is under way, or was last
     */
    public synchronized Statistics statistics(List<GuestMemoryHandler> handlers) {
        return new Statistics(
                bytes() / PAGE_BYTES,
                handlers.stream().mapToLong(GuestMemoryHandler::sentPages).sum(),
                handlers.stream().mapToLong(GuestMemoryHandler::zeroPages).sum(),
                collections,
                dirtyBytesPerSecond);
    }

    /** A share begins to save: the first one has the memory watched, so that no page is read before. */
    synchronized void start(GuestMemoryHandler share) throws DirtyTrackingException {
        if (started.isEmpty()) {
            List<AddressRange> watched = regions.stream()
                    .filter(region -> !region.readOnly())
                    .map(Region::range)
                    .toList();
            if (!watched.isEmpty()) {
                tracker.start(watched, PAGE_BYTES);
            }
            collected = regions.stream().map(GuestMemory::bitmap).toList();
            failure = null;
            everything = false;
            collectedLast = false;
            collections = 0;
            collectedAt = clock.getAsLong();
            rateSince = collectedAt;
            dirtiedSince = 0;
            dirtyBytesPerSecond = 0;
            said.clear();
            unsaid.clear();
        }
        started.add(share);
    }

    private static @Nullable DirtyBitmap bitmap(Region region) {
        return region.readOnly() ? null : new DirtyBitmap(Arena.ofAuto(), region.range(), PAGE_BYTES);
    }

    /** A share is done with its migration, however it ended: the last one ends the watch. */
    synchronized void end(GuestMemoryHandler share) {
        if (!started.remove(share) || !started.isEmpty()) {
            return;
        }
        collected = List.of();
        try {
            tracker.stop();
        } catch (DirtyTrackingException e) {
            // It counts as stopped all the same, and nothing depends on it any more.
            failure = e.getMessage();
        }
    }

    /**
     * Collects what became dirty, unless somebody else just did.
     *
     * @param seen the number of the collection that the caller has seen last
     * @return the number of the last collection
     */
    synchronized int collect(int seen) {
        if (collections == seen || clock.getAsLong() - collectedAt > NEW_NANOS) {
            dirtiedSince += collect();
            if (collectedAt - rateSince >= NEW_NANOS) {
                dirtyBytesPerSecond = rate(dirtiedSince, collectedAt - rateSince);
                rateSince = collectedAt;
                dirtiedSince = 0;
            }
        }
        return collections;
    }

    /** Collects what became dirty, once for all shares, now that all that could write to the memory is stopped. */
    synchronized void collectLast() throws IOException {
        if (!collectedLast) {
            boolean before = everything;
            collect();
            collectedLast = true;
            if (everything && !before) {
                throw new IOException(
                        "nobody knows any more which pages are dirty, and all is stopped: to send everything "
                                + "would take longer than was foreseen");
            }
        }
    }

    /** Tells whether everything counts as dirty, for the tracker cannot tell. */
    synchronized boolean countsEverything() {
        return everything;
    }

    private static long rate(long bytes, long nanos) {
        return (long) (bytes * NANOS_PER_SECOND / Math.max(1, nanos));
    }

    /** Collects. Returns how many bytes became dirty that had not been before. */
    private long collect() {
        long before = dirtyPages();
        for (DirtyBitmap each : collected) {
            if (each != null) {
                collect(each);
            }
        }
        long now = clock.getAsLong();
        long nanos = now - collectedAt;
        long dirtied = (dirtyPages() - before) * PAGE_BYTES;
        collectedAt = now;
        collections++;
        DirtyMemoryEvent.record(collections, dirtied, nanos, rate(dirtied, nanos), everything);
        return dirtied;
    }

    private void collect(DirtyBitmap into) {
        if (failure == null) {
            try {
                Collected result = tracker.collect(into.range(), into);
                everything |= !result.reported();
                if (result.everythingBecause() != null) {
                    say(result.everythingBecause());
                }
                return;
            } catch (DirtyTrackingException | RuntimeException e) {
                // A tracker may be somebody else's code. What it has not told of may have been written to.
                failure = e.getMessage() == null ? e.toString() : e.getMessage();
                everything = true;
                say("the tracker of dirty pages has failed (" + failure
                        + "): from here on everything counts as dirty, each time");
            }
        }
        into.mark(into.range());
    }

    private void say(String text) {
        if (said.add(text)) {
            unsaid.add(text);
            news = true;
        }
    }

    /** What somebody should hear, once. */
    synchronized List<String> news() {
        List<String> texts = List.copyOf(unsaid);
        unsaid.clear();
        news = false;
        return texts;
    }

    /** Whether there is anything to hear: asked after each piece, while a collection may hold the lock. */
    boolean hasNews() {
        return news;
    }

    private long dirtyPages() {
        long pages = 0;
        for (DirtyBitmap each : collected) {
            pages += each == null ? 0 : each.dirtyPages();
        }
        return pages;
    }

    /** Moves what was collected of a part to the bitmap of its share. */
    synchronized void take(RegionPart part, DirtyBitmap into) {
        DirtyBitmap from = collected.get(part.number());
        if (from == null) {
            return;
        }
        long end = part.first() + part.pages();
        long page = from.nextDirty(part.first());
        while (page < end) {
            long clean = Math.min(end, from.nextClean(page));
            into.mark(part.range(page, clean - page));
            page = from.nextDirty(clean);
        }
        from.clear(into.range());
    }

    /** The regions as text, which is what both sides compare. */
    String text() {
        StringBuilder text = new StringBuilder();
        for (Region region : regions) {
            text.append(text.isEmpty() ? "" : ",")
                    .append(region.name())
                    .append('@')
                    .append(Long.toHexString(region.guestAddress()))
                    .append('+')
                    .append(Long.toHexString(region.memory().byteSize()))
                    .append(region.readOnly() ? ":ro" : "");
        }
        return text.toString();
    }

    /** What {@link #text} is too long for. */
    static int checksum(String text) {
        CRC32C crc = new CRC32C();
        crc.update(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        return (int) crc.getValue();
    }
}
