// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class PicturesTest {
    private static Document parsed(String svg) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
    }

    @Test
    void shouldPlaceEachPointWhereItsValuesSay() throws Exception {
        String svg = new Plot("a < b", "x", "y & z", false)
                .series("all", true)
                .add(0, 0)
                .add(10, 5)
                .svg();

        assertThat(parsed(svg).getElementsByTagName("circle").getLength()).isEqualTo(3);
        // The axes end at 10 and 5: the last point is in the corner.
        assertThat(svg).contains("<circle cx=\"70.0\" cy=\"345.0\"").contains("<circle cx=\"620.0\" cy=\"40.0\"");
    }

    @Test
    void shouldPlacePowersOfTenEvenly() throws Exception {
        String svg = new Plot("sizes", "x", "y", true)
                .series("all", false)
                .add(1, 1)
                .add(10, 10)
                .add(100, 100)
                .svg();

        assertThat(parsed(svg).getElementsByTagName("path").getLength()).isEqualTo(1);
        assertThat(svg).contains("<circle cx=\"345.0\" cy=\"192.5\"");
    }

    @Test
    void shouldDrawTheThreadsThatMoveStateAndNoOther() throws Exception {
        String svg = FlameGraph.svg(
                List.of(
                        "[vfio4j-save-device0 tid=7];a/b/Reader.read;copy_to_user_[k] 30",
                        "[vfio4j-save-device0 tid=7];a/b/Reader.read 10",
                        "[main tid=1];a/b/Other.run 60"),
                "the source");

        assertThat(parsed(svg).getElementsByTagName("rect").getLength()).isEqualTo(4);
        assertThat(svg)
                .contains("Reader.read: 100.0 %")
                .contains("copy_to_user: 75.0 %")
                .doesNotContain("Other");
    }

    @Test
    void shouldSayWhenNoThreadMovesState() {
        assertThatThrownBy(() -> FlameGraph.svg(List.of("[main tid=1];Other.run 60"), "the source"))
                .isInstanceOf(IOException.class)
                .hasMessage("no thread in it saves or loads");
    }
}
