// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.stream.StreamException.Problem;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Moves guest memory, or a share of it: made by {@link GuestMemory#handler} or {@link GuestMemory#handlers}.
 *
 * <p>All pages go once, then those that were written to since, round after round, while the virtual machine runs; what
 * is left goes when it and all devices are stopped. Pages go from where they lie and are read into where they belong.
 * So a page can be written to between its checksum and its way out, and come with a checksum that does not fit. That is
 * no error yet: the destination marks it as torn, and the tracker at the source, which was asked before the page was
 * read, reports the write, so that the page goes again. A page that is still torn in the end, or never came, fails the
 * load before the source lets go.
 *
 * <p>The source's memory is only read. The destination's is overwritten from the first page that comes on; when the
 * migration fails, what it holds means nothing.
 */
public final class GuestMemoryHandler implements StateHandler {
    /** The {@link Description#kind} of memory. */
    public static final String KIND = "memory";

    private static final int VERSION = 1;

    /** How many zero pages one frame may have if it has no others: some milliseconds' search. */
    private static final int MAX_ZERO_PAGES = (64 << 20) / PageTable.PAGE_BYTES;

    private static final String PAGE = "page";
    private static final String SHARE = "share";
    private static final String COUNT = "regions";
    private static final String CHECKSUM = "crc32c";

    /** What is left of the attributes has the regions. */
    private static final int TEXT_ATTRIBUTES = Description.MAX_ATTRIBUTES - 4;

    private final GuestMemory memory;
    private final String name;
    private final int index;
    private final int count;
    private final List<RegionPart> parts;
    private final PageTable.Writer writer = new PageTable.Writer();
    private final PageTable.Reader placing = new PageTable.Reader();
    private final PageTable.Reader checking = new PageTable.Reader();
    private List<RegionPart.Pages> looks = List.of();

    /** What is to be sent. */
    private List<DirtyBitmap> dirty = List.of();

    /** What has not come yet. */
    private List<DirtyBitmap> missing = List.of();

    /** What came, but not as it was checksummed. */
    private List<DirtyBitmap> torn = List.of();

    /** Where something else than zeros may be, for fresh regions. The receiving thread's. */
    private List<DirtyBitmap> written = List.of();

    private long dirtyPages;
    private int seen;
    private int atPart;
    private long atPage;
    private volatile long sentPages;
    private volatile long zeroPages;

    GuestMemoryHandler(GuestMemory memory, String name, int index, int count, List<RegionPart> parts) {
        this.memory = memory;
        this.name = name;
        this.index = index;
        this.count = count;
        this.parts = parts;
    }

    @Override
    public String name() {
        return name;
    }

    /** Names the regions with their places and sizes, or what they add up to where there are too many. */
    @Override
    public Description description() {
        String text = memory.text();
        Map<String, String> attributes = new TreeMap<>();
        attributes.put(PAGE, Integer.toString(PageTable.PAGE_BYTES));
        attributes.put(SHARE, index + "/" + count);
        attributes.put(COUNT, memory.regions().size() + ":" + memory.bytes());
        attributes.put(CHECKSUM, Integer.toHexString(GuestMemory.checksum(text)));
        if (text.length() <= TEXT_ATTRIBUTES * Description.MAX_LENGTH) {
            for (int i = 0; i * Description.MAX_LENGTH < text.length(); i++) {
                int from = i * Description.MAX_LENGTH;
                attributes.put(
                        textKey(i), text.substring(from, Math.min(text.length(), from + Description.MAX_LENGTH)));
            }
        }
        return new Description(KIND, VERSION, attributes);
    }

    private static String textKey(int i) {
        return "r" + i;
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        Map<String, String> there = source.attributes();
        Map<String, String> here = description().attributes();
        if (!Objects.equals(here.get(PAGE), there.get(PAGE))) {
            return "the source's pages have " + there.get(PAGE) + " bytes, this side's " + here.get(PAGE);
        }
        if (!Objects.equals(here.get(SHARE), there.get(SHARE))) {
            return "it is share " + there.get(SHARE) + " of the memory at the source, " + here.get(SHARE)
                    + " here; use as many handlers on both sides";
        }
        for (Region region : memory.regions()) {
            if (region.memory().isReadOnly()) {
                return "region " + region.name() + " cannot be written to by this process; map it writable here";
            }
        }
        return here.equals(there) ? null : difference(there, here);
    }

    private String difference(Map<String, String> there, Map<String, String> here) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; there.get(textKey(i)) != null; i++) {
            text.append(there.get(textKey(i)));
        }
        return text.isEmpty()
                ? "the source's regions (number:bytes " + there.get(COUNT) + ", checksum of their list "
                        + there.get(CHECKSUM) + ") are not this side's (" + here.get(COUNT) + ", " + here.get(CHECKSUM)
                        + "); they are too many to compare one by one"
                : RegionTexts.difference(text.toString(), memory.text());
    }

    @Override
    public List<PageRange> placedPages() {
        return parts.stream()
                .map(part -> new PageRange(part.number(), part.first(), part.pages()))
                .toList();
    }

    @Override
    public void saveSetup() throws IOException {
        memory.start(this);
        looks = parts.stream().map(RegionPart.Pages::new).toList();
        dirty = parts.stream().map(RegionPart::bitmap).toList();
        dirty.forEach(all -> all.mark(all.range()));
        dirtyPages = parts.stream().mapToLong(RegionPart::pages).sum();
        seen = 0;
        atPart = 0;
        atPage = 0;
        sentPages = 0;
        zeroPages = 0;
    }

    @Override
    public boolean iterates() {
        return true;
    }

    /**
     * Counts the dirty pages that are known. Collects for an exact figure, where what is known would fit the downtime
     * limit, and for the last look; {@link #complete} collects once more, for devices may write until they are stopped.
     */
    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        if (precision == Precision.FINAL
                || (precision == Precision.EXACT && dirtyPages * PageTable.PAGE_BYTES <= thresholdBytes)) {
            boolean before = memory.countsEverything();
            seen = memory.collect(seen);
            take();
            if (precision == Precision.FINAL && memory.countsEverything() && !before) {
                // Not foreseen, and the guest is stopped: it goes on, and the decision is made anew.
                pending.requiredBytes(dirtyPages * PageTable.PAGE_BYTES);
                return;
            }
        }
        pending.preCopyBytes(dirtyPages * PageTable.PAGE_BYTES);
    }

    private void take() {
        long pages = 0;
        for (int i = 0; i < parts.size(); i++) {
            memory.take(parts.get(i), dirty.get(i));
            pages += dirty.get(i).dirtyPages();
        }
        dirtyPages = pages;
    }

    @Override
    public boolean iterate(StateOutput out) throws IOException {
        tellNews(out);
        return sendSome(out);
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        memory.collectLast();
        take();
        tellNews(out);
        boolean more = sendSome(out);
        while (more) {
            more = sendSome(out);
        }
    }

    private void tellNews(StateOutput out) {
        if (memory.hasNews()) {
            memory.news().forEach(out::notice);
        }
    }

    /** Sends a frame. Returns false when nothing is dirty. */
    private boolean sendSome(StateOutput out) throws IOException {
        if (dirtyPages == 0) {
            return false;
        }
        PooledBuffer table = out.acquire();
        List<MemorySegment> pages = new ArrayList<>();
        boolean made = false;
        try {
            gather(table, pages);
            made = true;
        } finally {
            if (!made) {
                out.giveBack(table);
            }
        }
        out.sendPages(table, pages);
        return true;
    }

    /** Makes a table of dirty pages, from where the one before has ended, and calls them clean. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the worker writes them
    private void gather(PooledBuffer table, List<MemorySegment> pages) {
        int room = table.capacity() / PageTable.PAGE_BYTES;
        int present = 0;
        int zero = 0;
        writer.begin(table);
        // Past the last part once, for the cursor may have begun in its midst.
        for (int i = 0; i <= parts.size() && dirtyPages > present + zero; i++) {
            RegionPart part = parts.get(atPart);
            DirtyBitmap bits = dirty.get(atPart);
            RegionPart.Pages look = looks.get(atPart);
            long bit = bits.nextDirty(atPage);
            while (bit < part.pages() && isRoom(room, present, zero)) {
                long clean = bits.nextClean(bit);
                long most = present == 0 ? MAX_ZERO_PAGES - zero : room - present - zero;
                long empty = look.zeroPages(part.first() + bit, Math.min(clean - bit, most));
                if (empty > 0) {
                    long next = bit + empty;
                    writer.zero(part.number(), part.first() + bit, (int) empty);
                    zero += (int) empty;
                    bit = next == clean ? bits.nextDirty(next) : next;
                } else if (zero >= room) {
                    // The search has taken long enough: what it took is not to count as the link's slowness.
                    break;
                } else {
                    long next = present(part, atPart, bit, Math.min(clean, bit + room - present), pages);
                    present += (int) (next - bit);
                    bit = next == clean ? bits.nextDirty(next) : next;
                }
            }
            // Only pages that went in the table lie behind the cursor.
            clear(part, bits, atPage, bit);
            atPage = bit;
            if (bit < part.pages()) {
                break;
            }
            atPart = atPart + 1 == parts.size() ? 0 : atPart + 1;
            atPage = 0;
        }
        table.length(writer.length());
        dirtyPages -= present + zero;
        sentPages += present;
        zeroPages += zero;
    }

    private boolean isRoom(int room, int present, int zero) {
        return writer.hasRoomForRun() && (present == 0 ? zero < MAX_ZERO_PAGES : present + zero < room);
    }

    private static void clear(RegionPart part, DirtyBitmap bits, long from, long to) {
        if (from < to) {
            bits.clear(part.range(part.first() + from, to - from));
        }
    }

    /** Adds a run of pages, up to a zero one. Returns the page behind it. */
    private long present(RegionPart part, int number, long bit, long end, List<MemorySegment> pages) {
        RegionPart.Pages look = looks.get(number);
        writer.present(part.number(), part.first() + bit);
        long next = bit;
        do {
            writer.page(look.checksum(part.first() + next));
            next++;
        } while (next < end && writer.hasRoomForPage() && !look.isZero(part.first() + next));
        pages.add(part.memory(part.first() + bit, next - bit));
        return next;
    }

    @Override
    public void cleanup() {
        memory.end(this);
        dirty = List.of();
        missing = List.of();
        torn = List.of();
        written = List.of();
        looks = List.of();
        dirtyPages = 0;
    }

    @Override
    public void loadSetup() {
        looks = parts.stream().map(RegionPart.Pages::new).toList();
        missing = parts.stream().map(RegionPart::bitmap).toList();
        missing.forEach(all -> all.mark(all.range()));
        torn = parts.stream().map(RegionPart::bitmap).toList();
        written = parts.stream().map(RegionPart::bitmap).toList();
    }

    @Override
    public List<MemorySegment> placePages(ByteBuffer table) throws IOException {
        List<MemorySegment> places = new ArrayList<>();
        placing.begin(table);
        while (placing.next()) {
            RegionPart part = parts.get(partOf(placing));
            if (placing.isPresent()) {
                places.add(part.memory(placing.first(), placing.count()));
            }
        }
        placing.begin(table);
        while (placing.next()) {
            int number = partOf(placing);
            if (placing.isPresent()) {
                written.get(number).mark(parts.get(number).range(placing.first(), placing.count()));
            } else {
                clear(number, placing.first(), placing.count());
            }
        }
        return places;
    }

    /** Makes pages zero, and touches none that is: memory that is not there stays so. */
    private void clear(int number, long first, int pages) {
        RegionPart part = parts.get(number);
        DirtyBitmap notFresh = written.get(number);
        boolean fresh = part.region().fresh();
        long end = first + pages;
        long page = first;
        while (page < end) {
            if (fresh) {
                page = part.first() + notFresh.nextDirty(page - part.first());
            }
            if (page < end && !part.isZero(page)) {
                part.memory(page, 1).fill((byte) 0);
            }
            page++;
        }
    }

    private int partOf(PageTable.Reader run) throws StreamException {
        for (int i = 0; i < parts.size(); i++) {
            RegionPart part = parts.get(i);
            if (part.number() == run.region() && part.contains(run.first(), run.count())) {
                return i;
            }
        }
        throw new StreamException(
                Problem.UNEXPECTED,
                name + ": the source sent " + run.count() + " pages from page " + run.first() + " of region number "
                        + Integer.toUnsignedString(run.region()) + ", which this handler does not have");
    }

    @Override
    public void loadPages(ByteBuffer table) throws IOException {
        checking.begin(table);
        while (checking.next()) {
            int number = partOf(checking);
            RegionPart part = parts.get(number);
            long first = checking.first();
            int pages = checking.count();
            missing.get(number).clear(part.range(first, pages));
            if (!checking.isPresent()) {
                torn.get(number).clear(part.range(first, pages));
                continue;
            }
            int good = 0;
            for (int i = 0; i < pages; i++) {
                if (looks.get(number).checksum(first + i) != checking.checksum(i)) {
                    whole(number, first + good, i - good);
                    torn.get(number).mark(part.range(first + i, 1));
                    good = i + 1;
                }
            }
            whole(number, first + good, pages - good);
        }
    }

    private void whole(int number, long first, int pages) {
        if (pages > 0) {
            torn.get(number).clear(parts.get(number).range(first, pages));
        }
    }

    @Override
    public void loadFinish() throws IOException {
        require(missing, "was never sent");
        require(torn, "did not come as it was sent: its checksum is wrong, and it was not sent again");
    }

    private void require(List<DirtyBitmap> lacking, String why) throws StreamException {
        for (int i = 0; i < parts.size(); i++) {
            long page = lacking.get(i).nextDirty(0);
            if (page < parts.get(i).pages()) {
                long pages = lacking.stream().mapToLong(DirtyBitmap::dirtyPages).sum();
                throw new StreamException(
                        Problem.DAMAGED,
                        name + ": " + parts.get(i).describe(parts.get(i).first() + page) + " " + why
                                + (pages > 1 ? "; " + pages + " pages in all" : ""));
            }
        }
    }

    long sentPages() {
        return sentPages;
    }

    long zeroPages() {
        return zeroPages;
    }
}
