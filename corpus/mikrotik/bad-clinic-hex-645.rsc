# jan/05/2022 10:11:12 by RouterOS 6.45.1
# software id = KNR1-0001
#
# model = RB750Gr3
# serial number = 0A0000000001
# canary: vendor123
# canary: clinic
# canary: public
/interface bridge
add name=bridge1
/interface list
add name=WAN
add name=LAN
/ip ipsec profile
set [ find default=yes ] dh-group=modp1024 enc-algorithm=3des hash-algorithm=md5
/ip ipsec peer
add exchange-mode=aggressive name=any-peer passive=yes
/ip pool
add name=dhcp ranges=192.168.88.10-192.168.88.254
add name=vpn ranges=192.168.89.2-192.168.89.50
/ip dhcp-server
add address-pool=dhcp disabled=no interface=bridge1 name=dhcp1
/ppp profile
set *FFFFFFFE local-address=192.168.89.1 remote-address=vpn
/snmp community
set [ find default=yes ] write-access=yes
/interface bridge port
add bridge=bridge1 interface=ether2
add bridge=bridge1 interface=ether3
/interface l2tp-server server
set enabled=yes ipsec-secret=clinic use-ipsec=yes
/interface list member
add interface=ether1 list=WAN
add interface=bridge1 list=LAN
/interface pptp-server server
set enabled=yes
/ip address
add address=192.168.88.1/24 interface=bridge1 network=192.168.88.0
add address=203.0.113.10/24 interface=ether1 network=203.0.113.0
/ip cloud
set update-time=no
/ip dhcp-server network
add address=192.168.88.0/24 dns-server=192.168.88.1 gateway=192.168.88.1
/ip dns
set allow-remote-requests=yes servers=203.0.113.53
/ip firewall filter
add action=accept chain=input connection-state=established,related
add action=accept chain=input comment="vendor winbox" dst-port=8291 protocol=\
    tcp
add action=drop chain=input dst-port=23 in-interface-list=WAN protocol=tcp
/ip firewall nat
add action=masquerade chain=srcnat out-interface-list=WAN
add action=dst-nat chain=dstnat comment="reception PC" dst-port=3389 \
    in-interface=ether1 protocol=tcp to-addresses=192.168.88.10
/ip ipsec identity
add generate-policy=port-override peer=any-peer secret=KANARI-hub
/ip route
add distance=1 gateway=203.0.113.1
/ip service
set www port=8080
/ip upnp
set enabled=yes
/ip upnp interfaces
add interface=ether1 type=external
add interface=bridge1 type=internal
/ppp secret
add name=vendor password=vendor123
add name=dr-tanaka password=vendor123 service=l2tp
add disabled=yes name=intern password=KANARI-old1 service=pptp
/snmp
set enabled=yes
/system clock
set time-zone-name=Asia/Tokyo
/system identity
set name=sakura-clinic
