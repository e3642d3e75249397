// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.StateHandler.PageRange;
import io.vfio4j.stream.Frame;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.PageTable;
import io.vfio4j.transport.PlacedOutput;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where in a file each page of memory lies: one area for each handler that has pages, one after the other, between
 * PLACES and the frames of the handlers. Both sides work it out from what the handlers are.
 *
 * @param places each handler's; null for one without
 * @param message what PLACES says of it
 */
record FileLayout(List<@Nullable PagePlaces> places, Message.Places message) {

    /**
     * Lays the pages out.
     *
     * @param begin where PLACES begins: behind HELLO
     * @param pages each handler's
     * @return null where no handler has any: then there is no PLACES
     */
    static @Nullable FileLayout of(long begin, List<List<PageRange>> pages) {
        int count = (int) pages.stream().filter(ranges -> !ranges.isEmpty()).count();
        if (count == 0) {
            return null;
        }
        long behind = begin + Frame.HEADER_BYTES + Message.Places.length(count);
        long at = (behind + PlacedOutput.ALIGNMENT - 1) & -PlacedOutput.ALIGNMENT;
        List<@Nullable PagePlaces> places = new ArrayList<>();
        List<Message.Area> areas = new ArrayList<>();
        for (int i = 0; i < pages.size(); i++) {
            if (pages.get(i).isEmpty()) {
                places.add(null);
                continue;
            }
            PagePlaces of = new PagePlaces(at, pages.get(i));
            places.add(of);
            areas.add(new Message.Area(OutgoingPeerLink.FIRST_STREAM + i, at, of.pages()));
            at += of.pages() * PageTable.PAGE_BYTES;
        }
        return new FileLayout(places, new Message.Places(at, areas));
    }

    /** How long a file is behind its first frame. */
    static long behind(Message.Hello hello) {
        ByteBuffer payload = ByteBuffer.allocate(Frame.MAX_MESSAGE).order(ByteOrder.LITTLE_ENDIAN);
        hello.writeTo(payload);
        return (long) Frame.HEADER_BYTES + payload.position();
    }
}
